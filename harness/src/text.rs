//! Values that cross a process boundary as their text: `#[serde(with = "crate::text")]`; and texts as words.
//!
//! It is for types that have a text which reads back as the same value, and no encoding of their own. A text that cannot be
//! read is an error of decoding.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// A text as one word of a header or of a command line: quoted where a shell would read it otherwise.
pub(crate) fn quoted(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-./:=@_,%".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.into();
    }
    // No path and no value has a zero byte, which alone cannot be quoted.
    shlex::try_quote(text).unwrap_or(text.into())
}

/// A value that may be missing: `#[serde(with = "crate::text::option")]`.
pub(crate) mod option {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(T::to_string).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse()).transpose().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use moonphase_vm::Schedule;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Record {
        #[serde(with = "crate::text")]
        one: Schedule,
        #[serde(with = "crate::text::option")]
        other: Option<Schedule>,
    }

    #[test]
    fn a_text_is_quoted_where_a_shell_would_read_it_otherwise() {
        for plain in ["5.1,setupvalue=upvalue", "steps:3,5x20", "./lua-5.1.5/src", "findings/a_b@c%/minimized.lua"] {
            assert_eq!(super::quoted(plain), plain);
        }
        for text in ["", "a b", "a;b", "$x", "~x", "it's", "\"", "a\\b", "\u{e9}"] {
            let quoted = super::quoted(text);
            assert_ne!(quoted, text);
            assert_eq!(shlex::split(&quoted), Some(vec![text.to_owned()]), "{quoted}");
        }
    }

    #[test]
    fn values_survive_the_way_between_processes() {
        for other in [None, Some(Schedule::Random(7))] {
            let record = Record { one: Schedule::Stress, other };
            let bytes = postcard::to_stdvec(&record).unwrap();
            assert_eq!(postcard::from_bytes::<Record>(&bytes).unwrap(), record);
        }
    }

    #[test]
    fn a_text_that_cannot_be_read_is_an_error_and_no_default() {
        for text in [r#"{"one":"never","other":null}"#, r#"{"one":"none","other":"never"}"#] {
            let error = serde_json::from_str::<Record>(text).unwrap_err().to_string();
            assert!(error.starts_with("unknown schedule 'never'"), "{error}");
        }
    }
}
