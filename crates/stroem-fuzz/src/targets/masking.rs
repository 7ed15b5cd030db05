//! Secrets in output: however the bytes are cut, no secret is left, and the same comes out. The first line of an input
//! holds the secrets, separated by tabs.

use stroem_core::Secret;
use stroem_logs::mask::{MASK, MaskStream, Masker, check_secret};

use super::{Target, kind, pieces};

pub(super) struct Masking;

impl Target for Masking {
    fn name(&self) -> &'static str {
        "masking"
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let seeds = [
            "hunter2\ter2xyz\nthe password is hunter2xyz, in hex 68756e74657232\n",
            "p@ss w0rd\np%40ss%20w0rd p@ss w0rd cEBzcyB3MHJk\n",
            "aaaa\taaaab\naaaaaaaaaaaaaaab\n",
            "pä/ss\"\\\npä/ss\"\\ p\\u00e4/ss\\\"\\\\ p%C3%A4%2Fss\n",
            "abcd\tbcde\tcdef\nabcdefabcdabcde\n",
            "1234\n{\"n\": 1234, \"m\": \"12345\"}\n",
        ];
        seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
    }

    fn words(&self) -> &[&'static str] {
        &[
            "hunter2",
            "68756e74",
            "cEBzcw==",
            "aaaa",
            "%40",
            "\\u00e4",
            "\\\"",
            "\t",
            "\n",
            "é",
            "\u{1f511}",
            "••••••",
            " ",
            "+",
        ]
    }

    fn run(&self, input: &[u8]) -> Result<u64, String> {
        let split = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
        let text = &input[(split + 1).min(input.len())..];
        let first = String::from_utf8_lossy(&input[..split]);
        // A secret of the mask's own signs is in every mask.
        let masked_ones = first.split('\t').filter(|secret| !secret.contains('•'));
        let secrets: Vec<Secret> = masked_ones
            .map(|secret| Secret::new(secret.to_owned()))
            .filter(|secret| check_secret(secret).is_ok())
            .take(8)
            .collect();
        let masker = Masker::new(&secrets);
        let mask = |pieces: &[&[u8]]| {
            let mut out = Vec::new();
            let mut stream = MaskStream::new(std::sync::Arc::clone(&masker));
            for piece in pieces {
                stream.push(piece, &mut |part| out.extend_from_slice(part));
            }
            stream.finish(&mut |part| out.extend_from_slice(part));
            out
        };
        let whole = mask(&[text]);
        if mask(&pieces(text)) != whole {
            return Err("cutting changes what is masked".to_owned());
        }
        for secret in secrets.iter().map(Secret::expose).map(str::trim) {
            for spelled in [secret.to_owned(), hex(secret)] {
                if contains(&whole, spelled.as_bytes()) {
                    return Err(format!("{spelled} is left in {}", String::from_utf8_lossy(&whole)));
                }
            }
        }
        if secrets.is_empty() && whole != text {
            return Err("a text without secrets changes".to_owned());
        }
        if mask(&[&whole]) != whole {
            return Err(format!("masking again changes {}", String::from_utf8_lossy(&whole)));
        }
        let masks = whole.windows(MASK.len()).filter(|window| *window == MASK.as_bytes()).count();
        Ok(kind((secrets.len(), masks.min(8), whole.len() / 16)))
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
