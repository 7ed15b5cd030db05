//! What `mask` promises, on cases and on random input.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn masker(secrets: &[&str]) -> Arc<Masker> {
    Masker::new(&secrets.iter().map(|secret| Secret::new((*secret).to_owned())).collect::<Vec<_>>())
}

fn masked(masker: &Arc<Masker>, pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut stream = MaskStream::new(Arc::clone(masker));
    for piece in pieces {
        stream.push(piece, &mut |part| out.extend_from_slice(part));
    }
    stream.finish(&mut |part| out.extend_from_slice(part));
    out
}

fn check(secrets: &[&str], text: &str, expected: &str) {
    assert_eq!(masker(secrets).mask_text(text), expected, "{text:?}");
}

#[test]
fn every_spelling_of_a_secret_is_hidden() {
    for (secret, spelled) in [
        ("p@ss'w0rd", "p@ss'w0rd"),
        ("p@ss'w0rd", "cEBzcyd3MHJk"),
        ("hunter2!", "aHVudGVyMiE="),
        ("hunter2!", "aHVudGVyMiE"),
        ("??>>??>>", "Pz8+Pj8/Pj4="),
        ("??>>??>>", "Pz8-Pj8_Pj4"),
        ("p@ss'w0rd", r"p@ss'\''w0rd"),
        ("p@ss w0rd", "p%40ss%20w0rd"),
        ("p@ss w0rd", "p%40ss+w0rd"),
        ("pä/ss", "p%C3%A4%2Fss"),
        ("pä/ss", "p%c3%a4/ss"),
        ("hunter2", "68756e74657232"),
        ("hunt<>", "68756e743c3e"),
        ("hunt<>", "68756E743C3E"),
        ("a\"b\\c\td", r#"a\"b\\c\td"#),
        ("a\"b\\c\td", r#"a\\\"b\\\\c\\td"#),
        ("line one\nline two", r"line one\nline two"),
        ("it's\nfour", r"it\'s\nfour"),
        ("pass\u{e4}\u{1f511}word", r"pass\u00e4\ud83d\udd11word"),
        ("a$b c`d", r"a\$b\ c\`d"),
        ("a$b c`d", r"a\$b c\`d"),
        ("http://x/y", r"http:\/\/x\/y"),
    ] {
        check(&[secret], &format!("<{spelled}>"), &format!("<{MASK}>"));
    }
}

#[test]
fn each_line_of_a_long_secret_is_hidden_and_short_ones_are_not() {
    let key = "-----BEGIN KEY-----\n  MIIBVgIBADANBg\nab\n====\n-----END KEY-----\n";
    check(&[key], "1: -----BEGIN KEY-----", &format!("1: {MASK}"));
    check(&[key], "2: MIIBVgIBADANBg\r\n3: ab\n4: ====", &format!("2: {MASK}\r\n3: ab\n4: ===="));
    check(&[key], &format!("key={key}"), &format!("key={MASK}\n"));
}

#[test]
fn base64_that_an_encoder_broke_into_lines_is_hidden() {
    let secret =
        "The quick brown fox jumps over the lazy dog, and the dog does not mind it at all; not today.";
    for (width, line_end) in [(76, "\n"), (76, "\r\n"), (64, "\n")] {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{secret}\n"));
        let (head, tail) = encoded.split_at(width);
        let text = masker(&[secret]).mask_text(&format!("{head}{line_end}{tail}")).into_owned();
        assert!(text.starts_with(MASK) && text.len() < MASK.len() + 4, "{text}");
    }
}

#[test]
fn short_secrets_hide_nothing_and_are_refused() {
    for short in ["", "abc", " abc \n", "äöü", "    "] {
        assert_eq!(check_secret(&Secret::new(short.to_owned())), Err(SecretTooShort), "{short:?}");
        assert!(masker(&[short]).is_empty(), "{short:?}");
    }
    assert_eq!(check_secret(&Secret::new("äöüß".to_owned())), Ok(()));
    check(&["abc", "äöüß"], "abc äöüß YWJj 616263", &format!("abc {MASK} YWJj 616263"));
}

#[test]
fn overlapping_secrets_leave_nothing_behind() {
    check(&["hunter2", "er2xyz"], "(hunter2xyz)", &format!("({MASK})"));
    check(&["hunter2"], "hunter2hunter2", &format!("{MASK}{MASK}"));
    check(&["aaaa"], "aaaaaaa b", &format!("{MASK} b"));
    check(&["abcd", "abcdefgh", "cdef"], "abcdefg abcdefgh", &format!("{MASK}g {MASK}"));
}

#[test]
fn only_what_may_become_a_secret_is_held_back() {
    let mut stream = MaskStream::new(masker(&["hunter2", "two\nlines"]));
    let mut push = |bytes: &[u8]| {
        let mut out = Vec::new();
        stream.push(bytes, &mut |piece| out.extend_from_slice(piece));
        String::from_utf8(out).expect("text")
    };
    assert_eq!(push(b"hello\n"), "hello\n");
    assert_eq!(push(b"say hunt"), "say ");
    assert_eq!(push(b"s hunter"), "hunts ");
    assert_eq!(push(b"2"), MASK);
    assert_eq!(push(b"\n"), "\n");
    assert_eq!(push(b"two"), "");
    assert_eq!(push(b"\nlights\n"), "two\nlights\n");
}

#[test]
fn without_secrets_the_bytes_are_not_even_copied() {
    let text = b"as it is".as_slice();
    let mut stream = MaskStream::new(masker(&[]));
    stream.push(text, &mut |piece| assert!(std::ptr::eq(piece, text)));
    assert_eq!(stream.buffer_capacity(), 0);
    assert!(matches!(masker(&[]).mask_text("x"), Cow::Borrowed("x")));
    assert!(matches!(masker(&["hunter2"]).mask_text("hunter3"), Cow::Borrowed("hunter3")));
}

#[test]
fn json_is_masked_in_texts_keys_and_numbers() {
    let mut value = json!({"a": ["hunter2", {"hunter2": 1}], "pin": 123_456, "n": 1, "t": true, "z": null});
    masker(&["hunter2", "123456", "true", "null"]).mask_json(&mut value);
    assert_eq!(value, json!({"a": [MASK, {MASK: 1}], "pin": MASK, "n": 1, "t": true, "z": null}));
}

#[test]
fn debug_output_shows_no_secret() {
    let masker = masker(&["hunter2"]);
    let mut stream = MaskStream::new(Arc::clone(&masker));
    stream.push(b"hunter", &mut |_| {});
    assert!(!format!("{masker:?}").contains("hunter"));
    assert!(!format!("{stream:?}").contains("104, 117"), "{stream:?}");
}

#[test]
fn a_secret_too_long_for_its_encodings_is_hidden_plain_and_by_line() {
    let long = (0..2_000).map(|n| format!("value number {n}\n")).collect::<String>();
    assert!(long.len() > ENCODED_SECRET_BYTES);
    check(&[&long], "> value number 77 <", &format!("> {MASK} <"));
    check(&[&long], &long, &format!("{MASK}\n"));
}

/// What the documentation promises, done the slow way: everything a pattern covers, overlaps as one.
fn reference(forms: &[String], text: &[u8]) -> Vec<u8> {
    let mut found: Vec<Range> = Vec::new();
    for form in forms {
        let pattern = form.as_bytes();
        let starts = (0..text.len()).filter(|at| text[*at..].starts_with(pattern));
        found.extend(starts.map(|at| (at, at + pattern.len())));
    }
    found.sort_unstable();
    let mut merged: Vec<Range> = Vec::new();
    for (start, end) in found {
        match merged.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    let mut out = Vec::new();
    let mut at = 0;
    for (start, end) in merged {
        out.extend_from_slice(&text[at..start]);
        out.extend_from_slice(MASK.as_bytes());
        at = end;
    }
    out.extend_from_slice(&text[at..]);
    out
}

type Range = (usize, usize);

fn cut<'a>(text: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

/// Base64 of the secret between other bytes leaves nothing of it but bits shared with its neighbours.
#[test]
fn a_secret_inside_a_longer_base64_text_is_hidden_at_every_offset() {
    use base64::{Engine as _, engine::general_purpose};
    let masker = masker(&["correct horse"]);
    for before in 0..7 {
        for after in 0..4 {
            let value = format!("{}correct horse{}", "#".repeat(before), "%".repeat(after));
            for engine in [general_purpose::STANDARD, general_purpose::URL_SAFE_NO_PAD] {
                let text = masker.mask_text(&engine.encode(&value)).into_owned();
                let (head, tail) = text.split_once(MASK).unwrap_or_else(|| panic!("{value} leaks: {text}"));
                let spare = before.div_ceil(3) * 4 + after.div_ceil(3) * 4 + 6;
                assert!(head.len() + tail.len() <= spare, "{value}: {text}");
            }
        }
    }
}

proptest! {
    #[test]
    fn cutting_the_stream_never_changes_the_result(
        secrets in prop::collection::vec("[ab\n]{4,9}|[a-c'\" %ä]{4,12}", 1..4),
        parts in prop::collection::vec((0_usize..9999, "[abc\n ]{0,6}"), 0..8),
        cuts in prop::collection::vec(0_usize..9999, 0..12),
    ) {
        let secrets: Vec<Secret> = secrets.into_iter().map(Secret::new).collect();
        let forms = all_forms(&secrets);
        let masker = Masker::new(&secrets);
        let mut text = Vec::new();
        for (form, noise) in parts {
            if !forms.is_empty() {
                text.extend_from_slice(forms[form % forms.len()].as_bytes());
            }
            text.extend_from_slice(noise.as_bytes());
        }
        let whole = masked(&masker, &[&text]);
        prop_assert_eq!(&whole, &reference(&forms, &text));
        prop_assert_eq!(&masked(&masker, &cut(&text, &cuts)), &whole);
        let single: Vec<&[u8]> = text.chunks(1).collect();
        prop_assert_eq!(&masked(&masker, &single), &whole);
        prop_assert!(!masker.finds(&whole), "a pattern is left");
    }

    #[test]
    fn random_secrets_never_appear_and_other_bytes_stay(
        secrets in prop::collection::vec("[!-~]{4,40}|[!-~\n]{20,90}|\\PC{4,20}", 1..5),
        noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6),
        picks in prop::collection::vec(0_usize..9999, 6),
        cuts in prop::collection::vec(0_usize..9999, 0..12),
    ) {
        prop_assume!(secrets.iter().all(|secret| !secret.contains('•')));
        let secrets: Vec<Secret> = secrets.into_iter().map(Secret::new).collect();
        let forms = all_forms(&secrets);
        let masker = Masker::new(&secrets);
        let mut text = Vec::new();
        let mut quiet = Vec::new();
        for (piece, pick) in noise.iter().zip(&picks) {
            text.extend_from_slice(piece);
            quiet.extend_from_slice(piece);
            if !forms.is_empty() {
                text.extend_from_slice(forms[pick % forms.len()].as_bytes());
            }
        }
        let out = masked(&masker, &cut(&text, &cuts));
        prop_assert!(!masker.finds(&out));
        if !masker.finds(&quiet) {
            prop_assert_eq!(masked(&masker, &cut(&quiet, &cuts)), quiet);
        }
    }
}
