//! The scanner against `serde_json`: they accept and refuse the same texts and read the same strings.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use proptest::prelude::*;
use serde::de::{DeserializeSeed, Deserializer as _, MapAccess, SeqAccess, Visitor};

use super::*;

/// What is to be compared.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    strings: BTreeSet<String>,
    duplicate: bool,
    nul: bool,
}

impl Seen {
    fn string(&mut self, text: &str) {
        self.nul |= text.contains('\0');
        self.strings.insert(text.to_owned());
    }
}

fn scan_value(scanner: &mut Scanner<'_>, seen: &mut Seen) -> Result<(), NotJson> {
    match scanner.peek() {
        Some(b'{') => scanner.object(|inner, key| {
            seen.string(&key.unescape());
            scan_value(inner, seen)
        }),
        Some(b'[') => scanner.array(|inner| scan_value(inner, seen)),
        _ => scanner.value().map(|token| {
            if let Token::String(text) = token {
                seen.string(&text.unescape());
            }
        }),
    }
}

fn by_scanner(bytes: &[u8]) -> Result<Seen, NotJson> {
    let mut scanner = Scanner::new(bytes)?;
    let mut seen = Seen::default();
    scan_value(&mut scanner, &mut seen)?;
    scanner.end()?;
    assert_eq!(scanner.saw_nul(), seen.nul, "the flag and the strings agree");
    seen.duplicate = scanner.saw_duplicate_key();
    // Skipping must judge as reading does.
    let mut skipped = Scanner::new(bytes)?;
    skipped.value()?;
    skipped.end()?;
    assert_eq!((skipped.saw_duplicate_key(), skipped.saw_nul()), (seen.duplicate, seen.nul));
    Ok(seen)
}

/// Reads everything with `serde_json` in a way that checks numbers, strings and nesting as a tree would.
struct Everything<'s>(&'s mut Seen);

impl<'de> DeserializeSeed<'de> for Everything<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! nothing {
    ($($name:ident: $type:ty),+) => { $(fn $name<E>(self, _: $type) -> Result<(), E> { Ok(()) })+ };
}

impl<'de> Visitor<'de> for Everything<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    nothing!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.string(text);
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Everything(self.0))?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            self.0.string(&key);
            self.0.duplicate |= !keys.insert(key);
            members.next_value_seed(Everything(self.0))?;
        }
        Ok(())
    }
}

fn by_serde(bytes: &[u8]) -> Result<Seen, serde_json::Error> {
    let mut seen = Seen::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    deserializer.deserialize_any(Everything(&mut seen))?;
    deserializer.end()?;
    Ok(seen)
}

fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    match (by_scanner(bytes), by_serde(bytes)) {
        (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
        (Err(_), Err(_)) => {}
        // 64 here, 128 there.
        (Err(ours), Ok(_)) if ours.why.starts_with("nested") => {}
        // A number's size does not matter here.
        (Ok(_), Err(theirs)) if theirs.to_string().starts_with("number out of range") => {}
        (ours, theirs) => {
            prop_assert!(false, "{:?}: {:?} but {:?}", String::from_utf8_lossy(bytes), ours, theirs);
        }
    }
    Ok(())
}

const SEEDS: [&str; 6] = [
    r#"{"eventType":"OrderCreated","eventId":"0190","payload":{"amountFen":25,"items":[{"sku":"a"}]}}"#,
    r#" { "a" : [ 1 , -2.5e+10 , 0 , true , false , null , "x\u0041\ud83d\ude00\n" ] , "b" : { } } "#,
    r#"{"a":1,"\u0061":2,"b":{"c":"\u0000"},"":[[],[[]],{}]}"#,
    r#"["\"","\\","\/","\b\f\n\r\t","日本","a long string without anything in it"]"#,
    r#"{"0":0,"1":0,"2":1,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"0":1}"#,
    r#"-0.0e-0"#,
];

/// Bytes that mean something in JSON.
const TELLING: &[u8] =
    b"{}[]\",:\\/ubfnrt0123456789+-.eE \t\n\r\0\x1f\x7f\xc3\xa9\xed\xa0\x80\xef\xbb\xbfdD8cC";

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit =
        (any::<prop::sample::Index>(), 0u8..5, prop::sample::select(TELLING), any::<prop::sample::Index>());
    (prop::sample::select(&SEEDS[..]), prop::collection::vec(edit, 0..6)).prop_map(|(seed, edits)| {
        let mut bytes = seed.as_bytes().to_vec();
        for (at, kind, byte, other) in edits {
            if bytes.is_empty() {
                break;
            }
            let (at, other) = (at.index(bytes.len()), other.index(bytes.len()));
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                3 => bytes.swap(at, other),
                _ => {
                    let piece = bytes[at.min(other)..at.max(other)].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn judges_mutated_texts_as_serde_does(bytes in mutated()) {
        agree(&bytes)?;
    }

    #[test]
    fn judges_noise_as_serde_does(bytes in prop::collection::vec(prop::sample::select(TELLING), 0..24)) {
        agree(&bytes)?;
        let mut quoted = vec![b'"'];
        quoted.extend(&bytes);
        quoted.push(b'"');
        agree(&quoted)?;
    }

    #[test]
    fn strings_of_any_length_end_where_serde_says(
        text in "[ -~é日\\\\\"\u{1}]{0,40}", quote in any::<bool>()
    ) {
        let text = if quote { serde_json::to_string(&text).expect("text") } else { format!("\"{text}\"") };
        agree(text.as_bytes())?;
    }
}

#[test]
fn the_seeds_are_what_they_look_like() {
    let seen: Vec<_> = SEEDS.iter().map(|seed| by_scanner(seed.as_bytes()).expect(seed)).collect();
    assert_eq!(
        seen.iter().map(|seen| seen.duplicate).collect::<Vec<_>>(),
        [false, false, true, false, true, false]
    );
    assert_eq!(
        seen.iter().map(|seen| seen.nul).collect::<Vec<_>>(),
        [false, false, true, false, false, false]
    );
    assert!(seen[1].strings.contains("xA😀\n"));
}

#[test]
fn sixty_four_levels_are_accepted_and_one_more_is_not() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |levels: usize| {
            let inner = if open == "[" { "" } else { "1" };
            format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
        };
        assert!(by_scanner(nested(64).as_bytes()).is_ok());
        let error = by_scanner(nested(65).as_bytes()).expect_err("65 levels");
        assert_eq!(error.why, "nested deeper than 64 arrays and objects");
        assert!(by_scanner(nested(30_000).as_bytes()).is_err());
    }
    let siblings = format!("[{}]", vec!["[]"; 1000].join(","));
    assert!(by_scanner(siblings.as_bytes()).is_ok(), "depth is what is open at once");
}

#[test]
fn numbers_are_told_apart_as_written() {
    for (text, want) in [
        ("5", Token::Integer("5")),
        ("-12", Token::Integer("-12")),
        ("0", Token::Integer("0")),
        ("99999999999999999999999", Token::Integer("99999999999999999999999")),
        ("-0", Token::Number),
        ("5.0", Token::Number),
        ("5e0", Token::Number),
        ("1e400", Token::Number),
    ] {
        assert_eq!(Scanner::new(text.as_bytes()).and_then(|mut s| s.value()), Ok(want), "{text}");
    }
}

/// Many keys leave the inline places; nested objects return to them.
#[test]
fn duplicate_keys_are_found_among_many() {
    let member = |n: usize| format!("\"key{n}\":{{\"a\":1,\"b\":2}}");
    for count in [1, 15, 16, 17, 31, 32, 33, 34, 500] {
        let mut members: Vec<_> = (0..count).map(member).collect();
        let plain = format!("{{{}}}", members.join(","));
        assert!(!by_scanner(plain.as_bytes()).expect("JSON").duplicate, "{count}");
        members.push(member(count / 2));
        let twice = format!("{{{}}}", members.join(","));
        assert!(by_scanner(twice.as_bytes()).expect("JSON").duplicate, "{count}");
    }
}
