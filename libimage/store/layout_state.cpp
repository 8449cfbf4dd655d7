#include "libimage/store/layout_state.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/oci/layout.h"

namespace lade {
namespace {

constexpr const char* kBlobsDir = "blobs";
// A millisecond each, far more than it takes to remove an empty layout.
constexpr int kMaxVanishings = 200;
// Room for small annotations of others; the marker itself has 30 bytes.
constexpr std::uint64_t kMaxMarkerBytes = std::uint64_t{64} * 1024;

/// Replaces `name`; the caller holds the layout's lock, so that the temporary name is free or a
/// dead process's.
void replace_file(const DirFd& dir, std::string_view name, std::string_view text) {
  const std::string target(name);
  const std::string temporary = cat(".", name, ".lade");
  ::unlinkat(dir.get(), temporary.c_str(), 0);
  const UniqueFd fd = open_entry(dir, temporary, O_WRONLY | O_CREAT | O_EXCL, 0644);
  FdSink(fd.get(), quoted(temporary)).write(bytes_of(text));
  if (::renameat(dir.get(), temporary.c_str(), dir.get(), target.c_str()) != 0) {
    throw_errno(cat("replace ", quoted(name)));
  }
}

bool is_ours_in_the_making(const std::string& name) {
  return name == kLayoutLockFile || (name.starts_with(".") && name.ends_with(".lade"));
}

bool still_exists(const DirFd& dir) {
  struct stat st {};
  return ::fstat(dir.get(), &st) == 0 && st.st_nlink > 0;
}

std::string empty_index() {
  oci::Index index;
  index.media_type = oci::MediaType(oci::kImageIndex);
  return oci::serialise(index);
}

}  // namespace

LayoutStore::State::State(const std::string& directory, LayoutOptions given)
    : path(directory), options(std::move(given)) {
  with_context([&] { return cat("open layout ", quoted(path)); },
               [&] { options.create ? open_to_write() : open(); });
}

LayoutStore::State::IndexVersion LayoutStore::State::index_version() const {
  const std::optional<struct stat> st = stat_entry(dir, std::string(oci::kIndexFile));
  if (!st) return {};
  return {static_cast<std::int64_t>(st->st_ino),
          static_cast<std::int64_t>(st->st_size),
          st->st_mtim.tv_sec,
          st->st_mtim.tv_nsec,
          st->st_ctim.tv_sec,
          st->st_ctim.tv_nsec};
}

void LayoutStore::State::open() {
  if (!options.create) dir = open_dir(path);
  const std::optional<struct stat> marker = stat_entry(dir, std::string(oci::kLayoutFile));
  if (!marker && !options.create) {
    throw Error(Errc::invalid_content, "there is no oci-layout file, so this is no OCI layout");
  }
  if (options.create) create();
  oci::check_layout_marker(read_file_at(dir, std::string(oci::kLayoutFile), kMaxMarkerBytes));
  open_blobs();
}

/// Again, if another store removes the layout, unused, in the moment in which we open it.
void LayoutStore::State::open_to_write() {
  for (int vanished = 0;; ++vanished) {
    made.reset();
    const MadeDirs missing(path);
    dir = create_dir(path);
    const bool is_new = !stat_entry(dir, std::string(oci::kLayoutFile));
    try {
      open();
      if (!blobs) throw Error(Errc::not_found, "the blobs directory vanishes");
      if (is_new) made = missing;
      if (!options.remove_if_unused) return;
      // Held while we may write: who holds it alone may remove the layout.
      if (::flock(blobs.get(), LOCK_SH) != 0 || still_exists(blobs)) return;
    } catch (const Error& e) {
      if (e.code() != Errc::not_found || vanished == kMaxVanishings) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void LayoutStore::State::remove_unused() const {
  if (!made || !options.shared_blob_dir.empty()) return;
  if (::flock(blobs.get(), LOCK_EX | LOCK_NB) != 0) return;
  const LayoutLock lock(dir);
  if (!read_index().manifests.empty()) return;
  for (const std::string& algorithm : list_names(blobs)) {
    PendingFile::sweep(DirFd(open_entry(blobs, algorithm, O_RDONLY | O_DIRECTORY)));
    if (::unlinkat(blobs.get(), algorithm.c_str(), AT_REMOVEDIR) != 0) return;  // it has blobs
  }
  if (::unlinkat(dir.get(), kBlobsDir, AT_REMOVEDIR) != 0) return;
  ::unlinkat(dir.get(), std::string(oci::kIndexFile).c_str(), 0);
  ::unlinkat(dir.get(), std::string(oci::kLayoutFile).c_str(), 0);
  made->remove();
}

void LayoutStore::State::create() {
  const std::string marker(oci::kLayoutFile);
  const std::string index(oci::kIndexFile);
  if (stat_entry(dir, marker) && stat_entry(dir, index) &&
      (!options.shared_blob_dir.empty() || stat_entry(dir, kBlobsDir))) {
    return;
  }
  const LayoutLock lock(dir);
  if (!stat_entry(dir, marker)) {
    const std::vector<std::string> names = list_names(dir);
    if (!std::all_of(names.begin(), names.end(), is_ours_in_the_making)) {
      throw Error(Errc::already_exists,
                  "the directory has other content and no oci-layout file; it is left alone");
    }
    replace_file(dir, oci::kLayoutFile, oci::layout_marker());
  }
  if (options.shared_blob_dir.empty() && ::mkdirat(dir.get(), kBlobsDir, 0755) != 0 &&
      errno != EEXIST) {
    throw_errno("create blobs directory");
  }
  // Last: a layout is complete when it has its index.
  if (!stat_entry(dir, index)) replace_file(dir, oci::kIndexFile, empty_index());
}

void LayoutStore::State::open_blobs() {
  if (!options.shared_blob_dir.empty()) {
    blobs =
        options.create ? create_dir(options.shared_blob_dir) : open_dir(options.shared_blob_dir);
  } else if (stat_entry(dir, kBlobsDir)) {
    blobs = DirFd(open_entry(dir, kBlobsDir, O_RDONLY | O_DIRECTORY));
  }
  if (!blobs || !options.create) return;
  sweep(PendingFile::kKeptFor);
}

void LayoutStore::State::sweep(std::chrono::seconds kept_for) const {
  if (!blobs) return;
  for (const char* algorithm : {"sha256", "sha512"}) {
    const DirFd sub(UniqueFd(
        ::openat(blobs.get(), algorithm, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)));
    if (sub) PendingFile::sweep(sub, kept_for);
  }
}

std::optional<DirFd> LayoutStore::State::algorithm_dir(const Digest& digest, bool make) const {
  const std::string name(digest.algorithm());
  if (!blobs) return std::nullopt;
  for (int attempt = 0; attempt < 2; ++attempt) {
    DirFd sub(UniqueFd(
        ::openat(blobs.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)));
    if (sub) return sub;
    if (errno != ENOENT) throw_errno(cat("open directory ", quoted(cat("blobs/", name))));
    if (!make) return std::nullopt;
    if (::mkdirat(blobs.get(), name.c_str(), 0755) != 0 && errno != EEXIST) {
      throw_errno(cat("create directory ", quoted(cat("blobs/", name))));
    }
  }
  throw Error(Errc::io, cat("directory ", quoted(cat("blobs/", name)), " vanishes"));
}

DirFd LayoutStore::State::writable_dir(const Digest& digest) {
  std::optional<DirFd> sub = algorithm_dir(digest, true);
  if (!sub) {
    throw Error(Errc::invalid_content,
                cat("layout ", quoted(path), ": there is no blobs directory"));
  }
  return *std::move(sub);
}

oci::Index LayoutStore::State::read_index() const {
  return with_context([&] { return cat("layout ", quoted(path), ": index.json"); },
                      [&] {
                        return oci::parse_index(read_file_at(dir, std::string(oci::kIndexFile),
                                                             oci::kMaxManifestBytes));
                      });
}

void LayoutStore::State::write_index(const oci::Index& index) const {
  const std::string text = oci::serialise(index);
  if (text.size() > oci::kMaxManifestBytes || index.manifests.size() > oci::kMaxDescriptors) {
    throw Error(Errc::limit_exceeded,
                cat("layout ", quoted(path), ": index.json would have ", text.size(), " bytes and ",
                    index.manifests.size(), " entries, more than can be read"));
  }
  with_context([&] { return cat("layout ", quoted(path)); },
               [&] { replace_file(dir, oci::kIndexFile, text); });
}

}  // namespace lade
