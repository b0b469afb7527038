//! Types that are one string: enums of names, and serde by `Display` and `FromStr`.

/// Implements serde by `Display` and `FromStr`. An error of parsing holds the message of `FromStr`,
/// and nothing of the string.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_as_text;

/// Implements `Debug`, `Display`, `TryFrom<&str>` and serde for a type by its `FromStr` and the method
/// that returns its string.
macro_rules! text_value {
    ($type:ident, $as_str:ident) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($type))
                    .field(&self.$as_str())
                    .finish()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.$as_str())
            }
        }

        /// Parses as `FromStr` does.
        impl TryFrom<&str> for $type {
            type Error = $crate::error::ParseError;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        $crate::serde_text::serde_as_text!($type);
    };
}
pub(crate) use text_value;

/// Defines an enum of named values, the list `ALL` of them, and `as_str`.
macro_rules! named_enum {
    (
        $(#[$enum:meta])*
        pub enum $type:ident {
            $($(#[$doc:meta])* $variant:ident = $name:literal,)*
        }
        $(#[$as_str:meta])*
        as_str
    ) => {
        $(#[$enum])*
        pub enum $type {
            $($(#[$doc])* $variant,)*
        }

        impl $type {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            $(#[$as_str])*
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}
pub(crate) use named_enum;

/// Implements `Display`, `FromStr` and serde for an enum by its `as_str` and its list `ALL`.
macro_rules! text_enum {
    ($type:ty, $names:literal) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        /// Parses exactly what [`as_str`](Self::as_str) returns; case matters.
        impl std::str::FromStr for $type {
            type Err = $crate::error::ParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut values = Self::ALL.iter().copied();
                let error = $crate::error::ParseError::new(concat!("not one of ", $names));
                values.find(|value| value.as_str() == text).ok_or(error)
            }
        }

        $crate::serde_text::serde_as_text!($type);
    };
}
pub(crate) use text_enum;
