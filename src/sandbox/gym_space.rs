//! Observation and action spaces as the handshake describes them, and as Gymnasium prints them.

use std::fmt;

use serde::Serialize;

/// The most bounds of a `Box` that are shown individually.
const MOST_BOUNDS: usize = 6;

/// A space, in Gymnasium's terms. `Display` follows Gymnasium's `repr`.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Space {
    /// An array of numbers. `low` and `high` contain one bound for all elements, one for each, or none if the
    /// server does not report them.
    Box {
        /// The length of each axis.
        shape: Vec<i64>,
        /// NumPy's name of the elements' type.
        dtype: &'static str,
        /// The lower bounds.
        #[serde(serialize_with = "finite_or_text")]
        low: Vec<f64>,
        /// The upper bounds.
        #[serde(serialize_with = "finite_or_text")]
        high: Vec<f64>,
    },
    /// `n` whole numbers, starting at `start`.
    Discrete {
        /// How many numbers.
        n: i64,
        /// The first number.
        start: i64,
    },
    /// An array of zeros and ones.
    MultiBinary {
        /// The length of each axis.
        shape: Vec<i64>,
    },
    /// Whole numbers from 0, each below its own bound.
    MultiDiscrete {
        /// The bounds.
        nvec: Vec<i64>,
    },
    /// Texts with a length between two limits.
    Text {
        /// The least number of characters.
        min_length: u32,
        /// The greatest number of characters.
        max_length: u32,
    },
    /// Named spaces.
    Dict {
        /// Names and spaces, in the server's order.
        spaces: Vec<(String, Space)>,
    },
    /// A sequence of spaces.
    Tuple {
        /// The spaces.
        spaces: Vec<Space>,
    },
    /// A kind of space that this version does not know.
    #[default]
    Unknown,
}

impl Space {
    /// The first `Box` without elements, and where it is in the space: `['camera'][0]`.
    pub(crate) fn empty_box(&self) -> Option<(String, &Space)> {
        match self {
            Space::Box { shape, .. } if shape.contains(&0) => Some((String::new(), self)),
            Space::Dict { spaces } => spaces.iter().find_map(|(name, space)| {
                space.empty_box().map(|(path, empty)| (format!("['{name}']{path}"), empty))
            }),
            Space::Tuple { spaces } => spaces.iter().enumerate().find_map(|(at, space)| {
                space.empty_box().map(|(path, empty)| (format!("[{at}]{path}"), empty))
            }),
            _ => None,
        }
    }
}

/// JSON has no infinity: such a bound is the text `inf` or `-inf`.
pub(crate) fn finite_or_text<S: serde::Serializer>(bounds: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(bounds.iter().map(|bound| {
        if bound.is_finite() { serde_json::json!(bound) } else { serde_json::json!(bound.to_string()) }
    }))
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Space::Box { shape, dtype, low, high } => match (bounds(low), bounds(high)) {
                (Some(low), Some(high)) => write!(f, "Box({low}, {high}, {}, {dtype})", Shape(shape)),
                _ => write!(f, "Box({}, {dtype})", Shape(shape)),
            },
            Space::Discrete { n, start: 0 } => write!(f, "Discrete({n})"),
            Space::Discrete { n, start } => write!(f, "Discrete({n}, start={start})"),
            Space::MultiBinary { shape } => match shape[..] {
                [length] => write!(f, "MultiBinary({length})"),
                _ => write!(f, "MultiBinary({})", Shape(shape)),
            },
            Space::MultiDiscrete { nvec } => {
                write!(
                    f,
                    "MultiDiscrete([{}])",
                    nvec.iter().map(i64::to_string).collect::<Vec<_>>().join(" ")
                )
            }
            Space::Text { min_length, max_length } => write!(f, "Text({min_length}, {max_length})"),
            Space::Dict { spaces } => {
                let spaces: Vec<String> =
                    spaces.iter().map(|(name, space)| format!("'{name}': {space}")).collect();
                write!(f, "Dict({})", spaces.join(", "))
            }
            Space::Tuple { spaces } => {
                let spaces: Vec<String> = spaces.iter().map(ToString::to_string).collect();
                write!(f, "Tuple({})", spaces.join(", "))
            }
            Space::Unknown => f.write_str("unknown space"),
        }
    }
}

struct Shape<'a>(&'a [i64]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [length] => write!(f, "({length},)"),
            lengths => write!(f, "({})", lengths.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// One bound alone, a few in brackets, and `None` if there are too many.
fn bounds(bounds: &[f64]) -> Option<String> {
    let texts: Vec<String> = bounds.iter().map(|bound| shorten(*bound)).collect();
    match &texts[..] {
        [] => None,
        [one] => Some(one.clone()),
        some if some.len() <= MOST_BOUNDS => Some(format!("[{}]", some.join(" "))),
        _ => None,
    }
}

/// Rounds long numbers to six decimals: the further digits of a float32 shown as float64 mean nothing.
fn shorten(bound: f64) -> String {
    let text = format!("{bound}");
    if text.len() <= 8 {
        text
    } else {
        format!("{bound:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// The messages of the wire protocol.
pub(crate) mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Space {
        #[prost(int64, repeated, tag = "1")]
        pub(crate) shape: Vec<i64>,
        #[prost(int32, tag = "2")]
        pub(crate) dtype: i32,
        #[prost(oneof = "Kind", tags = "10, 11, 12, 13, 14, 20, 21")]
        pub(crate) kind: Option<Kind>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(crate) enum Kind {
        #[prost(message, tag = "10")]
        Box(Bounds),
        #[prost(message, tag = "11")]
        Discrete(Discrete),
        #[prost(message, tag = "12")]
        MultiBinary(Nothing),
        #[prost(message, tag = "13")]
        MultiDiscrete(MultiDiscrete),
        #[prost(message, tag = "14")]
        Text(Text),
        #[prost(message, tag = "20")]
        Dict(Dict),
        #[prost(message, tag = "21")]
        Tuple(Tuple),
    }

    /// Bounds are little-endian elements of the space's type: one for all elements (2), or one for each (3).
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Bounds {
        #[prost(message, optional, tag = "2")]
        pub(crate) uniform: Option<LowHigh>,
        #[prost(message, optional, tag = "3")]
        pub(crate) elementwise: Option<LowHigh>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct LowHigh {
        #[prost(bytes = "vec", tag = "1")]
        pub(crate) low: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub(crate) high: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Discrete {
        #[prost(int64, tag = "1")]
        pub(crate) n: i64,
        #[prost(int64, tag = "2")]
        pub(crate) start: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Nothing {}

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct MultiDiscrete {
        #[prost(int64, repeated, tag = "1")]
        pub(crate) nvec: Vec<i64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Text {
        #[prost(uint32, tag = "1")]
        pub(crate) min: u32,
        #[prost(uint32, tag = "2")]
        pub(crate) max: u32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Dict {
        #[prost(string, repeated, tag = "1")]
        pub(crate) keys: Vec<String>,
        #[prost(message, repeated, tag = "2")]
        pub(crate) spaces: Vec<Space>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Tuple {
        #[prost(message, repeated, tag = "1")]
        pub(crate) spaces: Vec<Space>,
    }
}

/// The wire protocol's numbers for NumPy's types, as rlmesh 0.1.0 sends them.
const DTYPES: [(i32, &str); 12] = [
    (1, "bool"),
    (2, "uint8"),
    (3, "uint16"),
    (4, "uint32"),
    (5, "uint64"),
    (6, "int8"),
    (7, "int16"),
    (8, "int32"),
    (9, "int64"),
    (10, "float16"),
    (11, "float32"),
    (12, "float64"),
];

fn dtype_name(number: i32) -> &'static str {
    DTYPES.iter().find(|(known, _)| *known == number).map_or("unknown", |(_, name)| name)
}

/// Decodes numbers of a type; empty for types that are not supported.
fn elements(dtype: &str, bytes: &[u8]) -> Vec<f64> {
    fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect()
    }
    match dtype {
        "bool" | "uint8" => each(bytes, |[byte]: [u8; 1]| f64::from(byte)),
        "int8" => each(bytes, |byte| f64::from(i8::from_le_bytes(byte))),
        "uint16" => each(bytes, |bytes| f64::from(u16::from_le_bytes(bytes))),
        "int16" => each(bytes, |bytes| f64::from(i16::from_le_bytes(bytes))),
        "uint32" => each(bytes, |bytes| f64::from(u32::from_le_bytes(bytes))),
        "int32" => each(bytes, |bytes| f64::from(i32::from_le_bytes(bytes))),
        "uint64" => each(bytes, |bytes| u64::from_le_bytes(bytes) as f64),
        "int64" => each(bytes, |bytes| i64::from_le_bytes(bytes) as f64),
        "float32" => each(bytes, |bytes| f64::from(f32::from_le_bytes(bytes))),
        "float64" => each(bytes, f64::from_le_bytes),
        _ => Vec::new(),
    }
}

impl From<wire::Space> for Space {
    fn from(space: wire::Space) -> Self {
        let dtype = dtype_name(space.dtype);
        match space.kind {
            Some(wire::Kind::Box(bounds)) => {
                let bounds = bounds.elementwise.or(bounds.uniform).unwrap_or_default();
                let (low, high) = (elements(dtype, &bounds.low), elements(dtype, &bounds.high));
                Space::Box { shape: space.shape, dtype, low, high }
            }
            Some(wire::Kind::Discrete(discrete)) => Space::Discrete { n: discrete.n, start: discrete.start },
            Some(wire::Kind::MultiBinary(_)) => Space::MultiBinary { shape: space.shape },
            Some(wire::Kind::MultiDiscrete(multi)) => Space::MultiDiscrete { nvec: multi.nvec },
            Some(wire::Kind::Text(text)) => Space::Text { min_length: text.min, max_length: text.max },
            Some(wire::Kind::Dict(dict)) => Space::Dict {
                spaces: dict.keys.into_iter().zip(dict.spaces.into_iter().map(Space::from)).collect(),
            },
            Some(wire::Kind::Tuple(tuple)) => {
                Space::Tuple { spaces: tuple.spaces.into_iter().map(Space::from).collect() }
            }
            None => Space::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    fn boxed(low: Vec<f64>, high: Vec<f64>, shape: &[i64], dtype: &'static str) -> Space {
        Space::Box { shape: shape.to_vec(), dtype, low, high }
    }

    #[test]
    fn spaces_read_as_gymnasium_prints_them() {
        for (space, text) in [
            (Space::Discrete { n: 2, start: 0 }, "Discrete(2)"),
            (Space::Discrete { n: 3, start: -1 }, "Discrete(3, start=-1)"),
            (boxed(vec![0.0], vec![255.0], &[210, 160, 3], "uint8"), "Box(0, 255, (210, 160, 3), uint8)"),
            (
                boxed(
                    vec![f64::from(-4.8_f32), f64::NEG_INFINITY],
                    vec![f64::from(4.8_f32), f64::INFINITY],
                    &[2],
                    "float32",
                ),
                "Box([-4.8 -inf], [4.8 inf], (2,), float32)",
            ),
            (boxed(vec![0.0; 9], vec![1.0; 9], &[3, 3], "float32"), "Box((3, 3), float32)"),
            (boxed(vec![], vec![], &[1], "float16"), "Box((1,), float16)"),
            (Space::MultiBinary { shape: vec![4] }, "MultiBinary(4)"),
            (Space::MultiBinary { shape: vec![2, 2] }, "MultiBinary((2, 2))"),
            (Space::MultiDiscrete { nvec: vec![2, 3] }, "MultiDiscrete([2 3])"),
            (Space::Text { min_length: 1, max_length: 5 }, "Text(1, 5)"),
            (
                Space::Tuple {
                    spaces: vec![
                        Space::Discrete { n: 2, start: 0 },
                        Space::Dict { spaces: vec![("a".into(), Space::Unknown)] },
                    ],
                },
                "Tuple(Discrete(2), Dict('a': unknown space))",
            ),
        ] {
            assert_eq!(space.to_string(), text);
        }
    }

    /// The observation space of CartPole-v1, recorded from rlmesh 0.1.0.
    #[test]
    fn a_recorded_space_is_understood() {
        let bytes = [
            b"\x0a\x01\x04\x10\x0b\x52\x26\x1a\x24\x0a\x10\x9a\x99\x99\xc0\x00\x00\x80\xff\x50\x77\xd6\xbe\x00\x00\x80\xff".as_slice(),
            b"\x12\x10\x9a\x99\x99\x40\x00\x00\x80\x7f\x50\x77\xd6\x3e\x00\x00\x80\x7f",
        ]
        .concat();
        let space = Space::from(wire::Space::decode(&bytes[..]).unwrap());
        assert_eq!(
            space.to_string(),
            "Box([-4.8 -inf -0.418879 -inf], [4.8 inf 0.418879 inf], (4,), float32)"
        );
        let json = serde_json::to_string(&space).unwrap();
        assert!(json.contains(r#""-inf""#) && json.contains(r#""shape":[4]"#), "{json}");
    }
}
