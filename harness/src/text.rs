//! Values that cross a process boundary as their text: `#[serde(with = "crate::text")]`.
//!
//! It is for types that have a text which reads back as the same value, and no encoding of their own. A text that cannot be
//! read is an error of decoding.

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
