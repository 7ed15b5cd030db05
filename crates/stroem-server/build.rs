//! Lists the files of the built web page, so that the program holds them. Without a built page the list is empty, and
//! cargo never calls npm.

#![expect(clippy::disallowed_methods, reason = "a build script gets its folders from its environment")]

use std::{
    env,
    fmt::Write as _,
    fs,
    hash::{DefaultHasher, Hasher as _},
    io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    // The folder is in the repository, so that cargo sees a page that is built later.
    let dist = manifest.join("../../ui/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    let page = dist.join("page");
    if page.join("index.html").is_file() {
        collect(&page, &page, &mut files)?;
    }
    files.sort();
    let mut list = String::from("pub(super) static FILES: &[File] = &[\n");
    for (name, path) in &files {
        let mut hasher = DefaultHasher::new();
        hasher.write(&fs::read(path)?);
        let tag = format!("\"{:016x}\"", hasher.finish());
        let bytes = |path: &Path| format!("include_bytes!({:?})", path.display().to_string());
        let packed = |ending: &str| {
            let path = PathBuf::from(format!("{}.{ending}", path.display()));
            if path.is_file() { format!("Some({})", bytes(&path)) } else { "None".to_owned() }
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            list,
            "    File {{ name: {name:?}, tag: {tag:?}, plain: {}, brotli: {}, gzip: {} }},",
            bytes(path),
            packed("br"),
            packed("gz"),
        );
    }
    list.push_str("];\n");
    fs::write(out.join("page.rs"), list)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let packed = path.extension().is_some_and(|ending| ending == "br" || ending == "gz");
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if !packed {
            let name = path.strip_prefix(root).map_err(io::Error::other)?;
            files.push((name.to_string_lossy().replace('\\', "/"), path));
        }
    }
    Ok(())
}
