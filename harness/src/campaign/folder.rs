//! The findings folder: one folder for each signature.
//!
//! `original.lua` is written before a finding is announced, so that a campaign that is killed has lost nothing of which it
//! spoke. Each file is written under another name first and then renamed; nothing is overwritten.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::finding::slug;

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

/// The folder of one finding.
#[derive(Clone, Debug)]
pub struct FindingFolder {
    path: PathBuf,
    /// Whether an earlier campaign made it: it is left as it is.
    known: bool,
}

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

    /// The folder of a signature. A new one has its first file before it exists under its name.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&self, signature: &str, original: &[u8]) -> Result<FindingFolder, FolderError> {
        let name = match slug(signature) {
            empty if empty.is_empty() => "finding".to_owned(),
            name => name,
        };
        let path = self.root.join(name);
        let error = |source| FolderError { path: path.clone(), source };
        if path.exists() {
            return Ok(FindingFolder { path, known: true });
        }
        let folder = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.root).map_err(error)?;
        fs::write(folder.path().join("original.lua"), original).map_err(error)?;
        make_readable(folder.path()).map_err(error)?;
        match fs::rename(folder.path(), &path) {
            Ok(()) => {
                // It is not temporary any more, and has another name.
                let _ = folder.keep();
                Ok(FindingFolder { path, known: false })
            }
            // Another campaign was faster.
            Err(_) if path.exists() => Ok(FindingFolder { path, known: true }),
            Err(source) => Err(error(source)),
        }
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

    /// Whether it was there before.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Writes a file, unless the folder was there before.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> Result<(), FolderError> {
        if self.known {
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

    #[test]
    fn a_finding_is_written_whole_and_never_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let findings = FindingsFolder::open(&root.path().join("a/b")).unwrap();
        let first = findings.add("black-to-white x", b"one").unwrap();
        first.write("report.txt", "r").unwrap();
        let second = findings.add("black-to-white x", b"two").unwrap();
        second.write("report.txt", "other").unwrap();
        assert!(!first.is_known() && second.is_known());
        let read = |name| fs::read_to_string(first.path_of(name)).unwrap();
        assert_eq!((read("original.lua"), read("report.txt")), ("one".into(), "r".into()));
        let names: Vec<_> =
            fs::read_dir(root.path().join("a/b")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["black-to-white-x"]);
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
