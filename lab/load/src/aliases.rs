//! Names for types that every file uses.

use std::{cell::RefCell, error::Error, rc::Rc};

pub type Failure = Box<dyn Error>;
pub type Shared<T> = Rc<RefCell<T>>;
