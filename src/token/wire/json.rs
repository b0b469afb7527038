//! Strict JSON objects by way of serde_json: no member twice, bounded nesting, and a reason for
//! each refusal.

use std::{borrow::Cow, cell::Cell, fmt, slice};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use crate::{error::SessionError, token::time::NumericDate};

/// Text of a JSON document: borrowed unless it is written with escapes.
pub(in crate::token) type Text<'a> = Cow<'a, str>;

const SYNTAX: SessionError = SessionError::malformed("a part is not a JSON object");
const DUPLICATE: SessionError = SessionError::malformed("a member occurs twice");
const NESTING: SessionError = SessionError::malformed("JSON is nested too deeply");

/// One reading of an object: why it fails, if it does.
///
/// serde's errors are made for people and quote the input, so the reason goes beside them.
pub(super) struct Reading {
    /// The refusal, should the value that is being read have the wrong type.
    of_type: Cell<SessionError>,
    /// The refusal for a reason of our own.
    refusal: Cell<Option<SessionError>>,
}

impl Reading {
    pub(super) const fn new() -> Self {
        Self {
            of_type: Cell::new(SYNTAX),
            refusal: Cell::new(None),
        }
    }

    /// Reads `json`, which is one object and nothing after it.
    pub(super) fn object<'de, V: Visitor<'de>>(
        &self,
        json: &'de str,
        visitor: V,
    ) -> Result<V::Value, SessionError> {
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

    /// Reads the value of a member that has a place of its own.
    pub(super) fn member<'de, A: MapAccess<'de>, S: DeserializeSeed<'de>>(
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

    /// Reads the value of a member that has none, and forgets it.
    pub(super) fn skip<'de, A: MapAccess<'de>>(
        &self,
        map: &mut A,
        levels: usize,
    ) -> Result<(), A::Error> {
        self.of_type.set(SYNTAX);
        map.next_value_seed(Skip {
            reading: self,
            levels,
        })
    }

    /// Checks that no name is there twice among those that have no place of their own.
    pub(super) fn distinct<E: de::Error>(&self, mut names: Vec<Text<'_>>) -> Result<(), E> {
        names.sort_unstable();
        match names.windows(2).any(|pair| pair.first() == pair.last()) {
            true => Err(self.refuse(DUPLICATE)),
            false => Ok(()),
        }
    }

    /// Unwinds serde with a refusal of our own.
    pub(super) fn refuse<E: de::Error>(&self, error: SessionError) -> E {
        self.refusal.set(Some(error));
        E::custom("refused")
    }

    /// One level deeper, if there may be one more.
    pub(super) fn deeper<E: de::Error>(&self, levels: usize) -> Result<usize, E> {
        levels.checked_sub(1).ok_or_else(|| self.refuse(NESTING))
    }
}

/// Reads text of at most so many bytes.
#[derive(Clone, Copy)]
pub(super) struct TextSeed {
    pub(super) max: usize,
}

impl TextSeed {
    /// The name of a member, which the size of the token bounds.
    pub(super) const NAME: Self = Self { max: usize::MAX };

    fn check<E: de::Error>(self, text: Text<'_>) -> Result<Text<'_>, E> {
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

/// A text, or an array of texts.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(in crate::token) enum Texts<'a> {
    One(Text<'a>),
    Array(Vec<Text<'a>>),
}

impl<'a> Texts<'a> {
    pub(in crate::token) fn as_slice(&self) -> &[Text<'a>] {
        match self {
            Self::One(text) => slice::from_ref(text),
            Self::Array(texts) => texts,
        }
    }
}

/// Reads a text, or an array of texts.
#[derive(Clone, Copy)]
pub(super) struct TextsSeed {
    pub(super) item: TextSeed,
}

impl<'de> DeserializeSeed<'de> for TextsSeed {
    type Value = Texts<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TextsSeed {
    type Value = Texts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or an array of texts")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        self.item.visit_borrowed_str(text).map(Texts::One)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        self.item.visit_str(text).map(Texts::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = items.next_element_seed(self.item)? {
            texts.push(text);
        }
        Ok(Texts::Array(texts))
    }
}

/// Reads a number as a moment: an integer or a fraction (RFC 7519 §2 "NumericDate").
pub(super) struct NumericDateSeed;

impl<'de> DeserializeSeed<'de> for NumericDateSeed {
    type Value = NumericDate;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        // Not `deserialize_any`, which serde_json's feature `arbitrary_precision` changes.
        deserializer.deserialize_f64(self)
    }
}

impl Visitor<'_> for NumericDateSeed {
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
}

/// Reads a JSON integer: no fraction, no exponent.
pub(super) struct IntegerSeed;

impl<'de> DeserializeSeed<'de> for IntegerSeed {
    type Value = i64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_i64(self)
    }
}

impl Visitor<'_> for IntegerSeed {
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
}

/// Reads any value and forgets it.
///
/// serde's `IgnoredAny` would pass text that is no Unicode, such as a lone surrogate.
#[derive(Clone, Copy)]
pub(super) struct Skip<'r> {
    pub(super) reading: &'r Reading,
    /// How many levels of arrays and objects may be in it.
    pub(super) levels: usize,
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
        if first == NUMBER {
            return self.number(members);
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

/// The name of the one member of a number, where a build turns serde_json's feature
/// `arbitrary_precision` on.
const NUMBER: &str = "$serde_json::private::Number";

impl Skip<'_> {
    /// Judges such a number as one is judged without the feature: it is no level, and an `f64`.
    fn number<'de, A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let number = members.next_value_seed(TextSeed::NAME)?.parse::<f64>();
        let alone = members.next_key_seed(TextSeed::NAME)?.is_none();
        match alone && number.is_ok_and(f64::is_finite) {
            true => Ok(()),
            false => Err(self.reading.refuse(SYNTAX)),
        }
    }
}
