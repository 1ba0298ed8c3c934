//! Writes what each target begins with: `seed FOLDER` makes `FOLDER/<target>/<number>`.

use feed_fuzz::{Seeds, TARGETS};
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("usage: seed FOLDER"));
    for target in TARGETS {
        let folder = folder.join(target.name);
        std::fs::create_dir_all(&folder)?;
        let mut seeds = Seeds::with_corpus();
        (target.seeds)(&mut seeds);
        for (i, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{i:04}")), seed)?;
        }
        println!("{}", target.name);
    }
    Ok(())
}
