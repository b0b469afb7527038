//! `Debug` of types that hold secrets or what belongs to a user.

/// Implements `Debug` by the given fields alone, as in `partial_debug! { User(user) { id: user.id } }`.
macro_rules! partial_debug {
    ($type:ident $(<$parameter:ident>)? ($this:ident) { $($field:ident: $value:expr),+ $(,)? }) => {
        impl $(<$parameter>)? std::fmt::Debug for $type $(<$parameter>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let $this = self;
                f.debug_struct(stringify!($type))
                    $(.field(stringify!($field), &$value))+
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use partial_debug;
