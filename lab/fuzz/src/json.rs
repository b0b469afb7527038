//! A JSON reader (RFC 8259) that keeps order, doubles and the text of numbers, and knows where it
//! stopped.

/// A value, as it was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// One object, read as far as it is well-formed.
#[derive(Debug, Default)]
pub struct Document {
    pub members: Vec<(String, Json)>,
    /// It is no object, is broken, or is nested too deeply.
    pub is_broken: bool,
    /// The member in whose value it broke.
    pub broken_in: Option<String>,
}

impl Document {
    /// Reads `json`, the object itself counted as the first of `levels`.
    pub fn read(json: &[u8], levels: usize) -> Self {
        let mut document = Self::default();
        let read = std::str::from_utf8(json)
            .ok()
            .and_then(|text| Reader { rest: text }.document(&mut document, levels));
        document.is_broken = read.is_none();
        document
    }

    /// The first member of this name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        get(&self.members, name)
    }

    pub fn has_twice(&self) -> bool {
        has_twice(&self.members)
    }
}

pub fn get<'a>(members: &'a [(String, Json)], name: &str) -> Option<&'a Json> {
    let member = members.iter().find(|(it, _)| it == name);
    member.map(|(_, value)| value)
}

pub fn has_twice(members: &[(String, Json)]) -> bool {
    let mut names: Vec<_> = members.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

impl Json {
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether a number in it is beyond what an `f64` holds.
    pub fn has_huge_number(&self) -> bool {
        match self {
            Self::Number(text) => text.parse::<f64>().is_ok_and(f64::is_infinite),
            Self::Array(items) => items.iter().any(Self::has_huge_number),
            Self::Object(members) => members.iter().any(|(_, value)| value.has_huge_number()),
            Self::Null | Self::Bool(_) | Self::Text(_) => false,
        }
    }
}

/// `None` is: it does not go on here as JSON does.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn document(mut self, document: &mut Document, levels: usize) -> Option<()> {
        let levels = levels.checked_sub(1)?;
        self.space();
        self.take('{')?;
        self.space();
        if self.take('}').is_none() {
            loop {
                let name = self.name()?;
                document.broken_in = Some(name.clone());
                let value = self.value(levels)?;
                document.broken_in = None;
                document.members.push((name, value));
                if self.ends('}')? {
                    break;
                }
            }
        }
        self.space();
        self.rest.is_empty().then_some(())
    }

    fn value(&mut self, levels: usize) -> Option<Json> {
        match self.rest.chars().next()? {
            '"' => self.text().map(Json::Text),
            '[' => self.array(levels.checked_sub(1)?),
            '{' => self.object(levels.checked_sub(1)?),
            'n' => self.word("null", Json::Null),
            't' => self.word("true", Json::Bool(true)),
            'f' => self.word("false", Json::Bool(false)),
            _ => self.number(),
        }
    }

    fn array(&mut self, levels: usize) -> Option<Json> {
        let mut items = Vec::new();
        self.take('[')?;
        self.space();
        if self.take(']').is_none() {
            loop {
                self.space();
                items.push(self.value(levels)?);
                if self.ends(']')? {
                    break;
                }
            }
        }
        Some(Json::Array(items))
    }

    fn object(&mut self, levels: usize) -> Option<Json> {
        let mut members = Vec::new();
        self.take('{')?;
        self.space();
        if self.take('}').is_none() {
            loop {
                let name = self.name()?;
                members.push((name, self.value(levels)?));
                if self.ends('}')? {
                    break;
                }
            }
        }
        Some(Json::Object(members))
    }

    fn name(&mut self) -> Option<String> {
        self.space();
        let name = self.text()?;
        self.space();
        self.take(':')?;
        self.space();
        Some(name)
    }

    /// Whether `end` follows, and not a comma.
    fn ends(&mut self, end: char) -> Option<bool> {
        self.space();
        match self.take(',') {
            Some(()) => Some(false),
            None => self.take(end).map(|()| true),
        }
    }

    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        self.take('"')?;
        loop {
            match self.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                '\0'..='\u{1f}' => return None,
                other => text.push(other),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            it @ ('"' | '\\' | '/') => it,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => match self.unit()? {
                high @ 0xd800..=0xdbff => {
                    self.take('\\')?;
                    self.take('u')?;
                    let low = self.unit()?;
                    char::decode_utf16([high, low]).next()?.ok()?
                }
                unit => char::from_u32(unit.into())?,
            },
            _ => return None,
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u16> {
        (0..4).try_fold(0, |unit, _| {
            let digit = self.next()?.to_digit(16)?;
            Some(unit << 4 | u16::try_from(digit).ok()?)
        })
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.rest;
        let _ = self.take('-');
        match self.digits()? {
            more if more.len() > 1 && more.starts_with('0') => return None,
            _ => {}
        }
        if self.take('.').is_some() {
            self.digits()?;
        }
        if self.take('e').or_else(|| self.take('E')).is_some() {
            let _ = self.take('+').or_else(|| self.take('-'));
            self.digits()?;
        }
        let len = start.len() - self.rest.len();
        Some(Json::Number(start[..len].to_owned()))
    }

    /// One digit at least.
    fn digits(&mut self) -> Option<&str> {
        let end = self.rest.find(|it: char| !it.is_ascii_digit());
        let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        (!digits.is_empty()).then_some(digits)
    }

    fn word(&mut self, word: &str, value: Json) -> Option<Json> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(value)
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next()?;
        self.rest = chars.as_str();
        Some(next)
    }
}
