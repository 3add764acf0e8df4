//! The findings folder: one folder for each signature, and another one for the same signature under other settings.
//!
//! `original.lua` is written before a finding is announced, so that a campaign that is killed has lost nothing of which it
//! spoke; `finding.json` is written last. Each file is written under another name first and then renamed, and nothing of a whole
//! finding is overwritten. A campaign that meets the finding of one that was killed completes that one's folder. Which finding a
//! folder has is said by the header of its `original.lua`; who works in it has it locked.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::finding::{Signature, slug};
use crate::header::Header;
use crate::schedule::Schedules;
use crate::settings::Settings;

/// A findings folder.
#[derive(Clone, Debug)]
pub struct FindingsFolder {
    root: PathBuf,
}

/// A file or folder that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}")]
pub struct FolderError {
    /// The file or folder.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// What became of a finding's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It was made for this finding.
    New,
    /// A campaign was killed before it was whole. It is made whole now; a script that it had is kept as `earlier.lua`.
    Completed,
    /// An earlier campaign found the same, and wrote all of it: it is left as it is.
    Before,
    /// Another campaign has found the same and works in it: it is left to that one.
    Busy,
}

/// The folder of one finding.
#[derive(Debug)]
pub struct FindingFolder {
    path: PathBuf,
    standing: Standing,
    /// The folder itself, locked for as long as somebody works in it.
    _lock: Option<File>,
}

/// The file that is written first, and the one that is written last.
const FIRST_FILE: &str = "original.lua";
const LAST_FILE: &str = "finding.json";

impl FindingsFolder {
    /// A findings folder, made if it is not there, and tried out.
    ///
    /// # Errors
    /// It cannot be made or written to.
    pub fn open(root: &Path) -> Result<FindingsFolder, FolderError> {
        let error = |source| FolderError { path: root.to_owned(), source };
        fs::create_dir_all(root).map_err(error)?;
        // Whether it can be written to is better known now than when something has been found.
        tempfile::tempfile_in(root).map_err(error)?;
        Ok(FindingsFolder { root: root.to_owned() })
    }

    /// The folder of a finding that was made under these settings. A new one has its first file before it exists under its name.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(
        &self,
        signature: &Signature,
        settings: &Settings,
        original: &[u8],
    ) -> Result<FindingFolder, FolderError> {
        let name = match slug(signature.as_str()) {
            empty if empty.is_empty() => "finding".to_owned(),
            name => name,
        };
        let mut number = 1;
        loop {
            let name = if number == 1 { name.clone() } else { format!("{name}-{number}") };
            let path = self.root.join(name);
            if path.symlink_metadata().is_err() {
                if let Some(folder) = self.make(&path, original)? {
                    return Ok(folder);
                }
                // Another campaign was faster: this folder is looked at again.
                continue;
            }
            if is_of(&path, signature, settings) {
                return join(path, original);
            }
            number += 1;
        }
    }

    /// A new folder; `None` where something has this name by now.
    fn make(&self, path: &Path, original: &[u8]) -> Result<Option<FindingFolder>, FolderError> {
        let error = |source| FolderError { path: path.to_owned(), source };
        let folder = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.root).map_err(error)?;
        fs::write(folder.path().join(FIRST_FILE), original).map_err(error)?;
        make_readable(folder.path()).map_err(error)?;
        let lock = lock(folder.path());
        match fs::rename(folder.path(), path) {
            Ok(()) => {
                // It is not temporary any more, and has another name.
                let _ = folder.keep();
                Ok(Some(FindingFolder { path: path.to_owned(), standing: Standing::New, _lock: lock }))
            }
            Err(_) if path.symlink_metadata().is_ok() => Ok(None),
            Err(source) => Err(error(source)),
        }
    }
}

/// Whether a folder has this finding, made under the same settings. One signature is one finding, whatever schedule showed it.
fn is_of(path: &Path, signature: &Signature, settings: &Settings) -> bool {
    let same =
        |settings: &Settings| Settings { schedules: Schedules::default(), allow_dangling: false, ..settings.clone() };
    let header = fs::read(path.join(FIRST_FILE)).ok().map(|text| Header::parse(&text, Settings::default()));
    match header {
        Some(Ok(Some(header))) => header.findings == [signature.as_str()] && same(&header.settings) == same(settings),
        _ => false,
    }
}

/// The folder that another campaign has made of the same finding.
fn join(path: PathBuf, original: &[u8]) -> Result<FindingFolder, FolderError> {
    if path.join(LAST_FILE).exists() {
        return Ok(FindingFolder { path, standing: Standing::Before, _lock: None });
    }
    let Some(lock) = lock(&path) else { return Ok(FindingFolder { path, standing: Standing::Busy, _lock: None }) };
    let first = path.join(FIRST_FILE);
    let error = |source| FolderError { path: path.clone(), source };
    let kept = fs::read(&first).map_err(error)?;
    if kept != original {
        write_atomically(&path.join("earlier.lua"), &kept)?;
        write_atomically(&first, original)?;
    }
    Ok(FindingFolder { path, standing: Standing::Completed, _lock: Some(lock) })
}

/// Locks a folder; `None` where somebody has it. A system that cannot lock folders lets everybody in.
fn lock(path: &Path) -> Option<File> {
    let folder = File::open(path).ok()?;
    match folder.try_lock() {
        Err(fs::TryLockError::WouldBlock) => None,
        Ok(()) | Err(fs::TryLockError::Error(_)) => Some(folder),
    }
}

/// A temporary folder is for its owner alone; a finding is for everybody.
#[cfg(unix)]
fn make_readable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_readable(_path: &Path) -> io::Result<()> {
    Ok(())
}

impl FindingFolder {
    /// The path of a file in it.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What became of it.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Whether its files are those of another campaign.
    pub fn is_of_another(&self) -> bool {
        matches!(self.standing, Standing::Before | Standing::Busy)
    }

    /// Writes a file, unless the folder is that of another campaign.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> Result<(), FolderError> {
        if self.is_of_another() {
            return Ok(());
        }
        write_atomically(&self.path.join(name), text)
    }
}

/// Whether a file can be written, as far as can be known before it is: better known before the work than after it.
///
/// # Errors
/// It cannot.
pub fn try_to_write(path: &Path) -> Result<(), FolderError> {
    let error = |source| FolderError { path: path.to_owned(), source };
    if path.is_dir() {
        return Err(error(io::ErrorKind::IsADirectory.into()));
    }
    tempfile::tempfile_in(folder_of(path)).map(drop).map_err(error)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes a file under another name first, so that it is there as a whole or not at all.
///
/// # Errors
/// It cannot be written.
pub fn write_atomically(path: &Path, text: impl AsRef<[u8]>) -> Result<(), FolderError> {
    let error = |source| FolderError { path: path.to_owned(), source };
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o644));
    }
    let mut file = builder.prefix(".new-").tempfile_in(folder_of(path)).map_err(error)?;
    file.write_all(text.as_ref()).map_err(error)?;
    file.persist(path).map_err(|failed| error(failed.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature() -> Signature {
        Signature::of_crash("vm", "SIGSEGV")
    }

    fn original(settings: &Settings, body: &str) -> Vec<u8> {
        let findings = vec![signature().to_string()];
        let header = Header { settings: settings.clone(), findings, ..Header::default() };
        (header.to_text() + body).into_bytes()
    }

    fn names(root: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_whole_finding_is_never_overwritten_and_other_settings_have_their_own() {
        let root = tempfile::tempdir().unwrap();
        let findings = FindingsFolder::open(&root.path().join("a/b")).unwrap();
        let add =
            |settings: &Settings, body: &str| findings.add(&signature(), settings, &original(settings, body)).unwrap();
        let usual = Settings::default();
        let first = add(&usual, "one");
        first.write("report.txt", "r").unwrap();
        assert_eq!(add(&usual, "two").standing(), Standing::Busy);
        first.write(LAST_FILE, "{}").unwrap();
        let second = add(&usual, "two");
        second.write("report.txt", "other").unwrap();
        assert_eq!((first.standing(), second.standing()), (Standing::New, Standing::Before));
        assert_eq!(fs::read_to_string(first.path_of("report.txt")).unwrap(), "r");
        let scheduled = Settings { schedules: Schedules::All, ..usual.clone() };
        assert_eq!(add(&scheduled, "three").path(), first.path());
        let other = Settings { gc: moonphase_vm::gc::Policy::LUA_51, ..usual };
        assert_eq!(add(&other, "four").standing(), Standing::New);
        fs::create_dir(root.path().join("a/b/crash-vm-sigsegv-3")).unwrap();
        assert_eq!(add(&Settings { check: crate::settings::Check::Off, ..other }, "five").standing(), Standing::New);
        let all = ["", "-2", "-3", "-4"].map(|number| format!("crash-vm-sigsegv{number}"));
        assert_eq!(names(&root.path().join("a/b")), all);
    }

    #[test]
    fn a_half_written_finding_is_completed_and_keeps_its_script() {
        let root = tempfile::tempdir().unwrap();
        let findings = FindingsFolder::open(root.path()).unwrap();
        let settings = Settings::default();
        let add = |body: &str| findings.add(&signature(), &settings, &original(&settings, body)).unwrap();
        drop(add("one"));
        let again = add("one");
        assert_eq!((again.standing(), names(again.path())), (Standing::Completed, vec![FIRST_FILE.to_owned()]));
        drop(again);
        let other = add("two");
        assert_eq!(names(other.path()), ["earlier.lua", FIRST_FILE]);
        assert_eq!(fs::read(other.path_of("earlier.lua")).unwrap(), original(&settings, "one"));
        assert_eq!(fs::read(other.path_of(FIRST_FILE)).unwrap(), original(&settings, "two"));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let error = FindingsFolder::open(&file.join("findings")).unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.contains("findings"), "{error}");
    }
}
