use feed_common::program::Failure;
use feed_common::ring::shared::OwnedBy;
use feed_handler::tail::Place;
use std::path::PathBuf;

/// Which lanes of shared memory a command reads.
#[derive(clap::Args)]
pub struct Lanes {
    /// Files of lanes; or --dir
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// All files of a folder, also those that come later: the configuration's `shared_memory.dir`
    #[arg(long, value_name = "DIR", conflicts_with = "files")]
    dir: Option<PathBuf>,
    /// The user whose files they are; default: this one or root
    #[arg(long, value_name = "UID")]
    owner: Option<u32>,
}

impl Lanes {
    /// Where they are.
    pub fn place(&self) -> Result<Place, Failure> {
        match &self.dir {
            Some(dir) => Ok(Place::Folder(dir.clone())),
            None if !self.files.is_empty() => Ok(Place::Files(self.files.clone())),
            None => Err(Failure::usage(
                "nothing to read: expected files of lanes, or --dir",
            )),
        }
    }

    /// Whose they are.
    pub fn owned_by(&self) -> OwnedBy {
        self.owner.map_or(OwnedBy::Us, OwnedBy::User)
    }

    /// What to say of a folder that has none.
    pub fn nobody(&self) -> Option<String> {
        let dir = self.dir.as_ref()?;
        Some(format!("{}: nobody has published here", dir.display()))
    }
}
