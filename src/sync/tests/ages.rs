//! Old and new programs in one space: what a later one wrote is carried, packed and handed on byte for byte.

use super::hostile::{Trio, block};
use super::world::{Found, words};
use crate::domain::ids::DeviceId;
use crate::store::{Answer, Ask, Logged, as_a_later_program};

/// What a later program may write: another kind, another thing, a key that today's programs do not know.
fn later(number: u64) -> Vec<u8> {
    match number % 4 {
        0 => b"\xa1dkinddbond".to_vec(),
        1 => format!("\u{0}not a map {number}").into_bytes(),
        2 => b"\xbfdkindcrecfentityeshelfbidP0123456789abcdefdnamexfieldsa0\xff".to_vec(),
        _ => b"\xa7dkinddflagfentityeshelfbidP0123456789abcdefcsetdtagsfmemberaxbon\xf5elater\xfb?\xf8\0\0\0\0\0\0".to_vec(),
    }
}

fn log(trio: &mut Trio, at: usize, device: DeviceId) -> Found<Vec<Logged>> {
    let store = trio.at(at)?.store()?;
    let ask = Ask::Log {
        device,
        from: 1,
        limit: u32::MAX,
    };
    match store.ask_wait(ask).map_err(words)? {
        Answer::Log(ops) => Ok(ops),
        other => Err(format!("the log was asked, not {other:?}")),
    }
}

#[test]
fn what_a_later_program_wrote_outlives_older_ones_and_packs() {
    let tested = block(async {
        let mut trio = Trio::new(None).await?;
        let newer = trio.device(0)?;
        // The program of the first machine is a later one for a while; between its writes it is today's again.
        for piece in 0..30_u64 {
            let bodies = (0..3).map(|n| later(piece * 3 + n)).collect();
            as_a_later_program(trio.at(0)?.store()?, bodies).map_err(words)?;
            if piece % 5 == 4 {
                trio.say(0, "between")?;
            }
            trio.round(0).await?;
            trio.round(1).await?;
        }
        let wrote = log(&mut trio, 0, newer)?;
        assert!(wrote.len() > 90, "{}", wrote.len());
        assert!(log(&mut trio, 1, newer)? == wrote, "segment by segment");
        // A day later only packs are left, and whoever comes last reads those.
        for at in 0..3 {
            trio.at(at)?.tick(25 * 3600 * 1000);
        }
        trio.say(0, "a day later")?;
        for _ in 0..3 {
            trio.round(0).await?;
        }
        let small = std::fs::read_dir(trio.segment(0, "")?)
            .map_err(words)?
            .filter_map(Result::ok)
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect::<Vec<_>>();
        assert!(
            small.iter().any(|name| name.ends_with(".pack")),
            "{small:?}"
        );
        assert!(!small.contains(&"1.seg".to_owned()), "{small:?}");
        let report = trio.round(2).await?;
        assert_eq!(report.troubles, []);
        while trio.round(2).await?.more {}
        let wrote = log(&mut trio, 0, newer)?;
        assert!(log(&mut trio, 2, newer)? == wrote, "out of packs");
        // The later program comes back to that machine and folds all of it anew.
        while trio.round(1).await?.more {}
        for at in 0..3 {
            trio.at(at)?.store()?.rebuild_wait().map_err(words)?;
            assert!(log(&mut trio, at, newer)? == wrote);
        }
        Ok(())
    });
    assert_eq!(tested, Ok(()));
}
