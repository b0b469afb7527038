//! Strict JSON objects by way of serde_json: no member twice, bounded nesting, and a reason for
//! each refusal.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    fmt,
    hash::BuildHasher,
};

use foldhash::quality::RandomState;
use memchr::memchr_iter;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use super::span::Span;
use crate::{error::SessionError, time::NumericDate};

/// Text of a JSON document: borrowed unless it is written with escapes.
pub(crate) type Text<'a> = Cow<'a, str>;

const SYNTAX: SessionError = SessionError::malformed("a part is not a JSON object");
const DUPLICATE: SessionError = SessionError::malformed("a member occurs twice");
const NESTING: SessionError = SessionError::malformed("JSON is nested too deeply");

/// More names or audiences than a document has that is not out to cost time.
const MANY: usize = 64;

/// One reading of an object: why it fails, if it does.
///
/// serde's errors are made for people and quote the input, so the reason goes beside them.
pub(crate) struct Reading<'a> {
    json: &'a str,
    /// Texts that were written with escapes, and so do not stand in the JSON.
    unescaped: RefCell<String>,
    /// The hashes of names that have no place of their own, in the object that is being read and
    /// in those that it is in. Two that are the same are the same name, but for a chance of about one
    /// in 2^64, by which a token would be refused.
    others: RefCell<Vec<u64>>,
    random: RandomState,
    /// The refusal, should the value that is being read have the wrong type.
    of_type: Cell<SessionError>,
    /// The refusal for a reason of our own.
    refusal: Cell<Option<SessionError>>,
}

impl<'a> Reading<'a> {
    /// Of `json`, which is one object and nothing after it.
    pub(crate) fn new(json: &'a str) -> Self {
        Self {
            json,
            unescaped: RefCell::new(String::new()),
            others: RefCell::default(),
            random: RandomState::default(),
            of_type: Cell::new(SYNTAX),
            refusal: Cell::new(None),
        }
    }

    pub(crate) fn object<V: Visitor<'a>>(&self, visitor: V) -> Result<V::Value, SessionError> {
        let json = self.json;
        // What cannot be an object is refused without the error that serde would make of it.
        if !json.trim_ascii_start().starts_with('{') {
            return Err(SYNTAX);
        }
        let mut deserializer = serde_json::Deserializer::from_str(json);
        (&mut deserializer)
            .deserialize_map(visitor)
            .and_then(|value| deserializer.end().map(|()| value))
            .map_err(|error| self.refusal.get().unwrap_or_else(|| self.reason(&error)))
    }

    fn reason(&self, error: &serde_json::Error) -> SessionError {
        match error.classify() {
            Category::Data => self.of_type.get(),
            // serde_json counts a number that no `f64` holds as syntax, but it is none.
            Category::Syntax if error.to_string().starts_with("number out of range") => {
                self.of_type.get()
            }
            Category::Io | Category::Syntax | Category::Eof => SYNTAX,
        }
    }

    /// What the spans point to behind the JSON.
    pub(crate) fn into_unescaped(self) -> String {
        self.unescaped.into_inner()
    }

    /// Where in the JSON this very text is, if it was not copied from there.
    fn place(&self, text: &str) -> Option<usize> {
        let at = text.as_ptr().addr().checked_sub(self.json.as_ptr().addr());
        at.filter(|at| self.json.get(*at..at.saturating_add(text.len())) == Some(text))
    }

    /// Where `text` stands, which was read from the JSON.
    pub(crate) fn span(&self, text: &str) -> Span {
        let start = self.place(text).unwrap_or_else(|| {
            let mut unescaped = self.unescaped.borrow_mut();
            let at = self.json.len().saturating_add(unescaped.len());
            unescaped.push_str(text);
            at
        });
        Span::new(start, text.len())
    }

    /// Whether this is the name of the one member of a number, and not of an object's, which
    /// stands in the JSON or was copied from there.
    fn is_number(&self, name: &Text<'_>) -> bool {
        match name {
            Cow::Borrowed(name) => *name == NUMBER && self.place(name).is_none(),
            Cow::Owned(_) => false,
        }
    }

    /// The text of a number that is taken for a map; see [`NUMBER`].
    fn number<'de, A: MapAccess<'de>>(&self, mut members: A) -> Result<Text<'de>, A::Error> {
        match members.next_key_seed(TextSeed::NAME)? {
            Some(name) if self.is_number(&name) => members.next_value_seed(TextSeed::NAME),
            _ => Err(de::Error::custom("an object")),
        }
    }

    /// Adds one of the document's texts. Where there are many, it makes room for all that may
    /// come: to grow by and by would take several times as much.
    pub(crate) fn add<T>(&self, list: &mut Vec<T>, item: T) {
        if list.len() == MANY {
            list.reserve_exact(memchr_iter(b'"', self.json.as_bytes()).count() / 2);
        }
        list.push(item);
    }

    /// Reads the value of a member that has a place of its own.
    pub(crate) fn member<'de, A: MapAccess<'de>, S: DeserializeSeed<'de>>(
        &self,
        map: &mut A,
        place: &mut Option<S::Value>,
        seed: S,
        of_type: SessionError,
    ) -> Result<(), A::Error> {
        if place.is_some() {
            return Err(self.refuse(DUPLICATE));
        }
        self.of_type.set(of_type);
        *place = Some(map.next_value_seed(seed)?);
        Ok(())
    }

    /// Reads the value of a member that has none, and forgets it, but not its name.
    pub(crate) fn skip<'de, A: MapAccess<'de>>(
        &self,
        map: &mut A,
        name: &str,
        levels: usize,
    ) -> Result<(), A::Error> {
        self.add(&mut self.others.borrow_mut(), self.random.hash_one(name));
        self.of_type.set(SYNTAX);
        map.next_value_seed(Skip {
            reading: self,
            levels,
        })
    }

    /// How many names are noted: those of an object that begins now follow them.
    pub(crate) fn others(&self) -> usize {
        self.others.borrow().len()
    }

    /// Checks that no name is there twice among those of an object that have no place of their
    /// own, which were noted since there were `before`, and forgets them.
    pub(crate) fn distinct<E: de::Error>(&self, before: usize) -> Result<(), E> {
        let mut others = self.others.borrow_mut();
        let own = others.get_mut(before..).unwrap_or_default();
        own.sort_unstable();
        let is_twice = own.windows(2).any(|pair| pair.first() == pair.last());
        others.truncate(before);
        match is_twice {
            true => Err(self.refuse(DUPLICATE)),
            false => Ok(()),
        }
    }

    /// Unwinds serde with a refusal of our own.
    pub(crate) fn refuse<E: de::Error>(&self, error: SessionError) -> E {
        self.refusal.set(Some(error));
        E::custom("refused")
    }

    /// One level deeper, if there may be one more.
    pub(crate) fn deeper<E: de::Error>(&self, levels: usize) -> Result<usize, E> {
        levels.checked_sub(1).ok_or_else(|| self.refuse(NESTING))
    }
}

/// Reads text of at most so many bytes.
#[derive(Clone, Copy)]
pub(crate) struct TextSeed {
    pub(crate) max: usize,
}

impl TextSeed {
    /// The name of a member, which the size of the token bounds.
    pub(crate) const NAME: Self = Self { max: usize::MAX };

    pub(crate) fn check<E: de::Error>(self, text: Text<'_>) -> Result<Text<'_>, E> {
        match text.len() <= self.max {
            true => Ok(text),
            false => Err(E::custom("too long")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Text<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextSeed {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        self.check(Cow::Borrowed(text))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        self.check(Cow::Borrowed(text))
            .map(|text| Cow::Owned(text.into_owned()))
    }
}

/// Reads text of at most so many bytes, and remembers where it stands.
#[derive(Clone, Copy)]
pub(crate) struct SpanSeed<'r> {
    pub(crate) reading: &'r Reading<'r>,
    pub(crate) max: usize,
}

impl<'de> DeserializeSeed<'de> for SpanSeed<'_> {
    type Value = Span;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Span, D::Error> {
        let text = TextSeed { max: self.max }.deserialize(deserializer)?;
        Ok(self.reading.span(&text))
    }
}

/// Reads a number as a moment: an integer or a fraction (RFC 7519 §2 "NumericDate").
///
/// It asks for any value, and not for a number: serde_json's own method for that writes a text that
/// is none, all of it and each odd character in ten, into an error that nobody reads.
#[derive(Clone, Copy)]
pub(crate) struct NumericDateSeed<'r> {
    pub(crate) reading: &'r Reading<'r>,
}

impl<'de> DeserializeSeed<'de> for NumericDateSeed<'_> {
    type Value = NumericDate;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// A text where another type should be; the error does not hold it.
pub(crate) fn no_text<T, E: de::Error>() -> Result<T, E> {
    Err(E::custom("a text"))
}

impl<'de> Visitor<'de> for NumericDateSeed<'_> {
    type Value = NumericDate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds since 1970")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Self::Value, E> {
        NumericDate::from_seconds(seconds).ok_or_else(|| E::custom("out of range"))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Self::Value, E> {
        NumericDate::from_fraction(seconds).ok_or_else(|| E::custom("out of range"))
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        no_text()
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        let number = self.reading.number(members)?;
        match number.parse() {
            Ok(seconds) => self.visit_u64(seconds),
            Err(_) => self.visit_f64(number.parse().map_err(de::Error::custom)?),
        }
    }
}

/// Reads a JSON integer: no fraction, no exponent, and not `-0`, which serde_json takes for a
/// fraction.
#[derive(Clone, Copy)]
pub(crate) struct IntegerSeed<'r> {
    pub(crate) reading: &'r Reading<'r>,
}

impl<'de> DeserializeSeed<'de> for IntegerSeed<'_> {
    type Value = i64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for IntegerSeed<'_> {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(number)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        i64::try_from(number).map_err(|_| E::custom("out of range"))
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        no_text()
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        let number = self.reading.number(members)?;
        match &*number {
            "-0" => Err(de::Error::custom("a fraction")),
            number => number.parse().map_err(de::Error::custom),
        }
    }
}

/// Reads any value and forgets it.
///
/// serde's `IgnoredAny` would pass text that is no Unicode, such as a lone surrogate.
#[derive(Clone, Copy)]
pub(crate) struct Skip<'r> {
    pub(crate) reading: &'r Reading<'r>,
    /// How many levels of arrays and objects may be in it.
    pub(crate) levels: usize,
}

impl<'de> DeserializeSeed<'de> for Skip<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let levels = self.reading.deeper(self.levels)?;
        while items.next_element_seed(Skip { levels, ..self })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Some(first) = members.next_key_seed(TextSeed::NAME)? else {
            return self.reading.deeper(self.levels).map(|_| ());
        };
        if self.reading.is_number(&first) {
            // It is no level, and has to be one without the feature too.
            let number = members.next_value_seed(TextSeed::NAME)?.parse::<f64>();
            return match number.is_ok_and(f64::is_finite) {
                true => Ok(()),
                false => Err(self.reading.refuse(SYNTAX)),
            };
        }
        let levels = self.reading.deeper(self.levels)?;
        loop {
            members.next_value_seed(Skip { levels, ..self })?;
            if members.next_key_seed(TextSeed::NAME)?.is_none() {
                return Ok(());
            }
        }
    }
}

/// The name of the one member of a number, which serde_json takes for a map where a build turns its
/// feature `arbitrary_precision` on.
const NUMBER: &str = "$serde_json::private::Number";
