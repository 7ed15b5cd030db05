//! What `frame` promises, on cases and on random input.

use proptest::prelude::*;

use super::*;

const LIMITS: FrameLimits = FrameLimits { line_bytes: 16, output_bytes: 40 };

#[derive(Debug, Clone, PartialEq, Eq)]
enum Owned {
    Line(Vec<u8>, bool),
    Output(Vec<u8>),
    OutputTooLarge,
}

fn frames(mut framer: Framer, pieces: &[&[u8]]) -> Vec<Owned> {
    let mut out = Vec::new();
    let mut sink = |frame: Frame<'_>| {
        out.push(match frame {
            Frame::Line { text, continued } => Owned::Line(text.to_vec(), continued),
            Frame::Output(output) => Owned::Output(output.to_vec()),
            Frame::OutputTooLarge => Owned::OutputTooLarge,
        });
    };
    for piece in pieces {
        framer.push(piece, &mut sink);
    }
    framer.finish(&mut sink);
    out
}

fn whole(text: &str) -> Owned {
    Owned::Line(text.into(), false)
}

fn piece(text: &str) -> Owned {
    Owned::Line(text.into(), true)
}

fn output(text: &str) -> Owned {
    Owned::Output(text.into())
}

fn check(input: &str, expected: &[Owned]) {
    assert_eq!(frames(Framer::new(LIMITS), &[input.as_bytes()]), expected, "{input:?}");
    let single: Vec<&[u8]> = input.as_bytes().chunks(1).collect();
    assert_eq!(frames(Framer::new(LIMITS), &single), expected, "{input:?} byte by byte");
}

#[test]
fn lines_end_at_line_feeds_with_or_without_carriage_return() {
    check("", &[]);
    check("a\nb", &[whole("a"), whole("b")]);
    check("\n\n", &[whole(""), whole("")]);
    check("a\r\n\rb\r\r\n", &[whole("a"), whole("\rb\r")]);
    check("a\r", &[whole("a\r")]);
}

#[test]
fn long_lines_come_in_marked_pieces() {
    check("0123456789abcdef\nx\n", &[whole("0123456789abcdef"), whole("x")]);
    check("0123456789abcdefg\nx\n", &[whole("0123456789abcdef"), piece("g"), whole("x")]);
    check("0123456789abcdef\r\nx", &[whole("0123456789abcdef"), whole("x")]);
    check("0123456789abcdef\r", &[whole("0123456789abcdef"), piece("\r")]);
    check(
        "0123456789abcdef0123456789abcdef!",
        &[whole("0123456789abcdef"), piece("0123456789abcdef"), piece("!")],
    );
}

#[test]
fn characters_are_not_cut_in_two() {
    check("0123456789abcdeø!\n", &[whole("0123456789abcde"), piece("ø!")]);
    check("0123456789abc🔑!\n", &[whole("0123456789abc"), piece("🔑!")]);
    let no_text = [0x80; 20];
    let expected = [Owned::Line(vec![0x80; 16], false), Owned::Line(vec![0x80; 4], true)];
    assert_eq!(frames(Framer::new(LIMITS), &[&no_text]), expected);
}

#[test]
fn an_output_line_is_kept_whole_up_to_its_own_limit() {
    check("OUTPUT: {\"a\": 1}\r\nx\n", &[output("{\"a\": 1}"), whole("x")]);
    check("OUTPUT:{}", &[output("{}")]);
    check("OUTPUT:", &[output("")]);
    check(" OUTPUT:{}\nOUTPUT\n", &[whole(" OUTPUT:{}"), whole("OUTPUT")]);
    let forty = "4".repeat(40);
    check(&format!("OUTPUT: {forty} \nx"), &[output(&forty), whole("x")]);
    check(&format!("OUTPUT:{forty}4\nx"), &[Owned::OutputTooLarge, whole("x")]);
    check(&format!("OUTPUT:{}\nOUTPUT:1", "4".repeat(500)), &[Owned::OutputTooLarge, output("1")]);
    check(&format!("OUTPUT:{}", "4".repeat(500)), &[Owned::OutputTooLarge]);
}

#[test]
fn a_piece_of_a_long_line_is_no_output() {
    check(
        "0123456789abcdefOUTPUT:{}\nOUTPUT:{}",
        &[whole("0123456789abcdef"), piece("OUTPUT:{}"), output("{}")],
    );
}

#[test]
fn standard_error_has_no_outputs() {
    assert_eq!(frames(Framer::lines_only(LIMITS), &[b"OUTPUT:{}\n"]), [whole("OUTPUT:{}")]);
}

fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'x'), any::<u8>()], 0..20),
        2 => "[a-zø🔑]{0,40}".prop_map(String::into_bytes),
        1 => "\nOUTPUT:[ 0-9]{0,160}".prop_map(String::into_bytes),
        1 => Just(b"OUTPUT:".to_vec()),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn cutting_the_stream_never_changes_the_frames(
        input in any_stream(),
        cuts in prop::collection::vec(0_usize..9999, 0..10),
    ) {
        let expected = frames(Framer::new(LIMITS), &[&input]);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
        places.extend([0, input.len()]);
        places.sort_unstable();
        let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&frames(Framer::new(LIMITS), &pieces), &expected);
        let single: Vec<&[u8]> = input.chunks(1).collect();
        prop_assert_eq!(&frames(Framer::new(LIMITS), &single), &expected);
    }

    #[test]
    fn the_pieces_put_together_are_the_input(input in any_stream()) {
        let mut back = Vec::new();
        for (index, frame) in frames(Framer::lines_only(LIMITS), &[&input]).into_iter().enumerate() {
            let Owned::Line(text, continued) = frame else { panic!("only lines") };
            prop_assert!(text.len() <= LIMITS.line_bytes);
            prop_assert!(!continued || index > 0);
            if index > 0 && !continued {
                back.push(b'\n');
            }
            back.extend(text);
        }
        let expected: Vec<u8> = input.strip_suffix(b"\n").unwrap_or(&input).to_vec();
        let lines = |bytes: &[u8], last_is_open: bool| {
            let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let ended = lines.len() - usize::from(last_is_open);
            for line in &mut lines[..ended] {
                if line.ends_with(b"\r") {
                    line.pop();
                }
            }
            lines
        };
        let open = !input.ends_with(b"\n");
        prop_assert_eq!(back.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>(), lines(&expected, open));
    }
}
