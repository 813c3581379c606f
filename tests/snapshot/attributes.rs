//! Every attribute of serde's derive, and every kind of value: what is saved comes back as it was, or is refused
//! at the save.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use fleeting::Cache;
use fleeting::snapshot::{SaveError, SaveErrorKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::common::manual_cache;

/// Saves the values, and loads them again.
fn reloaded<V>(values: &[V]) -> Result<Vec<V>, SaveError>
where
    V: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let (cache, _) = manual_cache();
    values.iter().enumerate().for_each(|(key, value)| assert!(cache.insert(key, value.clone())));
    let mut file = Vec::new();
    cache.save_to(&mut file)?;
    let (other, _) = manual_cache::<usize, V>();
    assert_eq!(other.load_from(&file[..]).expect("what was saved can be loaded").loaded, values.len() as u64);
    Ok((0..values.len()).map(|key| other.peek(&key).expect("loaded")).collect())
}

#[track_caller]
fn same<V>(values: &[V])
where
    V: Clone + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    assert_eq!(reloaded(values).expect("it can be saved"), values);
}

#[track_caller]
fn refused<V>(values: &[V]) -> SaveError
where
    V: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let error = reloaded(values).expect_err("what cannot be loaded is refused at the save");
    assert_eq!(error.kind(), SaveErrorKind::NotLoadable);
    error
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum Role {
    Guest,
    #[serde(skip)]
    Internal,
    User,
    #[serde(rename = "root")]
    Admin,
    #[serde(alias = "editor")]
    Author,
}

/// Catches variants that are told by their number: a skipped one shifts those after it, and a user comes back as
/// an administrator.
#[test]
fn variants_are_told_by_name() {
    same(&[Role::Guest, Role::User, Role::Admin, Role::Author]);
    let error = reloaded(&[Role::Internal]).expect_err("skipped");
    assert_eq!((error.kind(), error.record()), (SaveErrorKind::Encode, Some(0)));
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    optional: Option<u8>,
    first_number: u8,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    list: Vec<u8>,
    #[serde(rename = "another name", alias = "a former name")]
    second_number: u8,
    #[serde(with = "as_text")]
    text: u64,
    #[serde(default = "seven")]
    seven: u8,
}

fn seven() -> u8 {
    7
}

mod as_text {
    use super::*;

    pub fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<u64, D::Error> {
        <Cow<'a, str>>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Catches fields that are told by their place: one that is left out shifts the rest.
#[test]
fn fields_are_told_by_name() {
    let all = Fields { optional: Some(1), first_number: 2, list: vec![3], second_number: 4, text: 5, seven: 6 };
    same(&[Fields { first_number: 1, second_number: 2, ..Fields::default() }, all]);
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Skips {
    before: u8,
    #[serde(skip)]
    cached: u8,
    #[serde(skip_deserializing)]
    written: u8,
    #[serde(skip_serializing, default = "seven")]
    read: u8,
    after: u8,
}

/// Catches a skipped field that takes its neighbour's value with it: it comes back as its default, as serde has it.
#[test]
fn skipped_fields_come_back_as_their_default() {
    let back = reloaded(&[Skips { before: 1, cached: 2, written: 3, read: 4, after: 5 }]).expect("saved");
    assert_eq!(back, [Skips { before: 1, cached: 0, written: 0, read: 7, after: 5 }]);
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Flat {
    before: u8,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Inner {
    address: IpAddr,
    large: u64,
    negative: i64,
    bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct FlatNumbers {
    #[serde(flatten)]
    by_number: BTreeMap<u32, String>,
}

fn inner() -> Inner {
    let address = "192.0.2.1".parse().expect("an address");
    Inner { address, large: u64::MAX, negative: i64::MIN, bytes: vec![1, 2, 255] }
}

/// Catches flattened fields that are lost, a map of unknown length, and a type that has another form for people:
/// serde buffers it as if for them.
#[test]
fn flattened_fields_come_back() {
    let rest = BTreeMap::from([("x".to_owned(), json!([1, null])), ("y".to_owned(), json!({"z": 0.5}))]);
    same(&[Flat { before: 1, inner: inner(), rest }, Flat { before: 2, inner: inner(), rest: BTreeMap::new() }]);
    same(&[FlatNumbers { by_number: BTreeMap::from([(1, "a".to_owned()), (u32::MAX, "b".to_owned())]) }]);
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Nothing,
    Number(i64),
    Text(String),
    Point { x: f64, y: f64 },
    Pair(u8, String),
    Address { address: IpAddr, until: SystemTime },
    Inner(Inner),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Tagged {
    Unit,
    Inner(Inner),
    Named { address: IpAddr, number: u8 },
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "of")]
enum Adjacent {
    Unit,
    One(Inner),
    Two(u8, Role),
    Named { address: IpAddr },
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum External {
    Unit,
    Nothing(()),
    One(Option<Box<External>>),
    Two(u8, Role),
    Named { address: IpAddr },
}

/// Catches an enum of any of the four representations that is saved and cannot be loaded, or comes back as another
/// variant.
#[test]
fn enums_of_every_representation_come_back() {
    let address = inner().address;
    same(&[
        Untagged::Nothing,
        Untagged::Number(-1),
        Untagged::Text("text".into()),
        Untagged::Point { x: 0.5, y: -0.0 },
        Untagged::Pair(1, "text".into()),
        Untagged::Address { address, until: SystemTime::UNIX_EPOCH + Duration::from_nanos(1_763_000_000_123_456_789) },
        Untagged::Inner(inner()),
    ]);
    same(&[Tagged::Unit, Tagged::Inner(inner()), Tagged::Named { address, number: 7 }]);
    same(&[Adjacent::Unit, Adjacent::One(inner()), Adjacent::Two(1, Role::User), Adjacent::Named { address }]);
    let nested = External::One(Some(Box::new(External::One(None))));
    let two = External::Two(1, Role::Admin);
    same(&[External::Unit, External::Nothing(()), nested, two, External::Named { address }]);
}

/// Catches a value that only describes itself.
#[test]
fn json_values_come_back() {
    same(&[
        Value::Null,
        json!({"a": [1, -1, 0.5, null, true, "text", u64::MAX, i64::MIN], "b": {"": {}}, "c": []}),
        json!("text"),
    ]);
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
enum Place {
    Home,
    At { x: i32, y: i32 },
}

/// Catches keys of maps that are not strings, and are refused or turned into some.
#[test]
fn keys_of_maps_may_be_anything() {
    same(&[BTreeMap::from([((1_u8, true), 'a'), ((2, false), 'b')])]);
    same(&[HashMap::from([(Place::Home, 1), (Place::At { x: 1, y: -1 }, 2)])]);
    same(&[BTreeMap::from([(None, 1_u8), (Some(Place::Home), 2)])]);
    same(&[BTreeMap::from([(inner().address, Duration::new(1, 999_999_999))])]);
    same(&[BTreeMap::from([(vec![1_u8, 2], ())])]);
}

/// Catches a kind of number, or of nothing, that comes back otherwise.
#[test]
fn every_kind_of_value_comes_back() {
    same(&[i128::MIN, -1, 0, i128::MAX]);
    same(&[u128::MAX, 0]);
    same(&[(i8::MIN, i16::MIN, i32::MIN, i64::MIN), (i8::MAX, i16::MAX, i32::MAX, i64::MAX)]);
    same(&[(u8::MAX, u16::MAX, u32::MAX, u64::MAX)]);
    same(&[(f32::MAX, f64::MIN_POSITIVE, f64::INFINITY)]);
    assert!(reloaded(&[f64::NAN]).expect("saved")[0].is_nan());
    same(&[('é', "é\0".to_owned(), String::new())]);
    same(&[((), [(); 2], [0_u8; 3])]);
    same(&[Some(0_u8), None]);
    same(&[Ok::<u8, String>(1), Err("text".into())]);
    same(&[Wrapper(Tuple(1, Unit))]);
    same(&[Bytes(vec![0; 70_000])]);
    same(&["text".repeat(20_000)]);
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Tuple(u8, Unit);

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Wrapper(Tuple);

/// As `serde_bytes` writes and reads them.
#[derive(Clone, PartialEq, Debug)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'a> Deserialize<'a> for Bytes {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

/// Reads through a type that borrows: the encoding lends its strings.
#[derive(Clone, PartialEq, Debug, Serialize)]
struct Owned {
    name: String,
    note: String,
}

#[derive(Deserialize)]
struct Borrowed<'a> {
    name: &'a str,
    #[serde(borrow)]
    note: Cow<'a, str>,
}

impl<'a> Deserialize<'a> for Owned {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        let borrowed = Borrowed::deserialize(deserializer)?;
        assert!(matches!(borrowed.note, Cow::Borrowed(_)));
        Ok(Owned { name: borrowed.name.into(), note: borrowed.note.into() })
    }
}

/// Catches an encoding that must copy strings: then `borrow` fails.
#[test]
fn borrowed_fields_come_back() {
    same(&[Owned { name: "Ada".into(), note: "a \"note\"".into() }]);
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Large {
    Number(i128),
}

#[derive(Clone, Debug, Deserialize)]
struct Disagrees {
    #[allow(dead_code, reason = "it is never read: nothing can be decoded")]
    number: u32,
}

impl Serialize for Disagrees {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("secret")
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Halved {
    #[serde(skip_serializing)]
    #[allow(dead_code, reason = "it is never read: nothing can be decoded")]
    number: u32,
}

/// Catches what is saved, and can never be loaded: it is refused while the entry is still there. The error tells
/// which record, and prints none of it.
#[test]
fn what_could_not_be_loaded_is_not_saved() {
    refused(&[Large::Number(1)]);
    refused(&[Halved { number: 1 }]);
    let error = refused(&[Disagrees { number: 1 }]);
    assert_eq!(error.to_string(), "a key or value could not be loaded again (record 0, counted from 0)");
    let source = std::error::Error::source(&error).expect("a reason").to_string();
    assert_eq!(source, "its bytes are a value of another type");
    assert!(!format!("{error:?}").contains("secret"));
    let deep = (0..200).fold(Value::Null, |inner, _| json!([inner]));
    refused(&[deep]);
    same(&[(0..100).fold(Value::Null, |inner, _| json!([inner]))]);
}

/// Catches a number of the record that is not its number: the records before it are those that were written.
#[test]
fn the_record_that_is_refused_is_named() {
    let cache: Cache<u32, Result<u32, Disagrees>> = Cache::new();
    (0..500)
        .for_each(|key| assert!(cache.insert(key, if key == 250 { Err(Disagrees { number: 1 }) } else { Ok(key) })));
    let error = cache.save_to(std::io::sink()).expect_err("one of them");
    let record = error.record().expect("a record's fault");
    let before = cache.iter().position(|(key, _)| key == 250).expect("there") as u64;
    assert_eq!((error.kind(), record), (SaveErrorKind::NotLoadable, before));
}

/// Types grow and shrink between versions of a program: names tell what is still there.
#[test]
fn fields_may_come_and_go_between_versions() {
    #[derive(Serialize, Deserialize)]
    struct Former {
        name: String,
        gone: u8,
    }
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    struct Present {
        #[serde(default)]
        come: u8,
        #[serde(alias = "name")]
        renamed: String,
    }
    let (cache, _) = manual_cache();
    cache.insert(1, Former { name: "Ada".into(), gone: 1 });
    let mut file = Vec::new();
    cache.save_to(&mut file).expect("saved");
    let (other, _) = manual_cache::<u32, Present>();
    assert_eq!(other.load_from(&file[..]).expect("whole").loaded, 1);
    assert_eq!(other.peek(&1), Some(Present { come: 0, renamed: "Ada".into() }));
}
