#include "libimage/store/layout_store.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/file_lock.h"
#include "libimage/io/path.h"
#include "libimage/oci/layout.h"
#include "libimage/store/blob_file.h"
#include "libimage/store/layout_index.h"
#include "libimage/store/made_dirs.h"

namespace lade {
namespace {

constexpr const char* kBlobsDir = "blobs";
constexpr const char* kLockFile = ".lade.lock";
// A millisecond each, far more than it takes to remove an empty layout.
constexpr int kMaxVanishings = 200;
// Room for small annotations of others; the marker itself has 30 bytes.
constexpr std::uint64_t kMaxMarkerBytes = std::uint64_t{64} * 1024;

std::string blob_name(const Digest& digest) { return std::string(digest.encoded()); }

/// Held while index.json is read, changed and replaced.
class LayoutLock {
 public:
  explicit LayoutLock(const DirFd& dir)
      : fd_(::openat(dir.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (!fd_) throw_errno("open directory");
    int result = 0;
    do {
      result = ::flock(fd_.get(), LOCK_EX);
    } while (result != 0 && errno == EINTR);
    // NFS cannot lock what is not open for writing, so never a directory.
    if (result != 0) file_.emplace(dir, kLockFile, FileLock::Mode::exclusive);
  }

 private:
  UniqueFd fd_;
  std::optional<FileLock> file_;
};

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
  return name == kLockFile || (name.starts_with(".") && name.ends_with(".lade"));
}

/// Held while blobs are removed: nobody else has the layout open to write. A store that is itself
/// open to write holds the lock shared, before and after.
class OnlyWriter {
 public:
  enum class Otherwise { nothing, shared };
  OnlyWriter(const DirFd& blobs, Otherwise otherwise) : blobs_(blobs), otherwise_(otherwise) {
    if (!blobs_ || ::flock(blobs_.get(), LOCK_EX | LOCK_NB) == 0) return;
    restore();  // a failed change of the lock may have lost it
    if (errno == EWOULDBLOCK) throw Error(Errc::unavailable, "somebody else writes to it");
  }
  ~OnlyWriter() { restore(); }
  OnlyWriter(const OnlyWriter&) = delete;
  OnlyWriter& operator=(const OnlyWriter&) = delete;

 private:
  void restore() const noexcept {
    const int error = errno;
    if (blobs_) (void)::flock(blobs_.get(), otherwise_ == Otherwise::shared ? LOCK_SH : LOCK_UN);
    errno = error;
  }
  const DirFd& blobs_;
  Otherwise otherwise_;
};

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

struct LayoutStore::State {
  std::string path;
  LayoutOptions options;
  DirFd dir;
  DirFd blobs;
  std::optional<MadeDirs> made;  ///< for a layout that this store made

  /// What tells one index.json from another.
  using IndexVersion = std::array<std::int64_t, 6>;
  std::mutex referrers_mutex;
  std::optional<ReferrersBySubject> referrers;  // guarded by referrers_mutex
  IndexVersion referrers_version = {};          // guarded by referrers_mutex: what they are from

  State(const std::string& directory, LayoutOptions given);

  [[nodiscard]] IndexVersion index_version() const;
  void open();
  void open_to_write();
  void create();
  void open_blobs();
  void sweep(std::chrono::seconds kept_for) const;
  void remove_unused() const;
  [[nodiscard]] std::optional<DirFd> algorithm_dir(const Digest& digest, bool make) const;
  [[nodiscard]] DirFd writable_dir(const Digest& digest);
  [[nodiscard]] oci::Index read_index() const;
  void write_index(const oci::Index& index) const;
  [[nodiscard]] OnlyWriter::Otherwise lock_otherwise() const {
    return options.remove_if_unused ? OnlyWriter::Otherwise::shared
                                    : OnlyWriter::Otherwise::nothing;
  }
  [[nodiscard]] PendingFile::Kind kind() const {
    return options.named_temporaries ? PendingFile::Kind::named : PendingFile::Kind::unnamed;
  }
};

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

LayoutStore::LayoutStore(const std::string& directory, LayoutOptions options)
    : state_(std::make_unique<State>(directory, std::move(options))) {}

LayoutStore::~LayoutStore() {
  if (!state_->options.remove_if_unused) return;
  try {
    state_->remove_unused();
  } catch (const Error&) {  // what cannot be removed is an empty, valid layout
    return;
  }
}

std::optional<oci::Descriptor> LayoutStore::resolve(const TagOrDigest& reference) {
  std::optional<oci::Descriptor> entry = find_entry(entries(), reference, state_->path);
  const auto* digest = std::get_if<Digest>(&reference);
  if (entry || digest == nullptr) return entry;
  return unlisted_document(*digest);
}

std::optional<std::uint64_t> LayoutStore::size_of(const Digest& digest) {
  const std::optional<DirFd> dir = state_->algorithm_dir(digest, false);
  if (!dir) return std::nullopt;
  const std::optional<struct stat> st = stat_entry(*dir, blob_name(digest));
  if (!st || !S_ISREG(st->st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(st->st_size);
}

std::optional<oci::Descriptor> LayoutStore::unlisted_document(const Digest& digest) {
  const std::optional<std::uint64_t> size = size_of(digest);
  if (!size) return std::nullopt;
  return sniff_document(*this, {.media_type = {}, .digest = digest, .size = *size});
}

std::optional<std::vector<std::string>> LayoutStore::tags() { return entry_names(entries()); }

std::optional<std::vector<oci::Descriptor>> LayoutStore::referrers(const Digest& subject) {
  const std::scoped_lock lock(state_->referrers_mutex);
  const auto version = state_->index_version();
  if (!state_->referrers || state_->referrers_version != version) {
    state_->referrers = all_referrers(
        *this, entries(), [this](const oci::Descriptor& blob) { return contains(blob); });
    state_->referrers_version = version;
  }
  return referrers_of(*state_->referrers, subject);
}

std::shared_ptr<const UniqueFd> LayoutStore::file_of(const oci::Descriptor& blob) {
  const std::optional<DirFd> dir = state_->algorithm_dir(blob.digest, false);
  if (!dir || !has_blob_file(*dir, blob_name(blob.digest), blob)) return nullptr;
  return open_blob_file(*dir, blob_name(blob.digest), blob);
}

bool LayoutStore::contains(const oci::Descriptor& blob) {
  const std::optional<DirFd> dir = state_->algorithm_dir(blob.digest, false);
  return dir && has_blob_file(*dir, blob_name(blob.digest), blob);
}

std::unique_ptr<BlobWriter> LayoutStore::start_blob(const BlobHint& hint) {
  static const Digest any_sha256 = sha256_of("");
  const Digest& digest = hint.expected ? hint.expected->digest : any_sha256;
  const DirFd dir = state_->writable_dir(digest);
  return std::make_unique<FileBlobWriter>(dir, hint, blob_name, state_->kind());
}

void LayoutStore::put_manifest(const oci::Descriptor& descriptor, std::string_view raw) {
  const std::unique_ptr<BlobWriter> blob = start_blob(BlobHint{.expected = descriptor});
  blob->write(bytes_of(raw));
  (void)blob->commit(descriptor.media_type);
}

void LayoutStore::tag(const Tag& tag, const oci::Descriptor& descriptor) {
  if (!contains(descriptor)) {
    throw Error(Errc::not_found, cat("name ", quoted(tag.value), " in ", quoted(state_->path), ": ",
                                     descriptor.digest.str(), " is not stored"));
  }
  edit_index([&](oci::Index& index) { name_entry(index.manifests, tag, descriptor); });
}

void LayoutStore::list_referrer(const oci::Descriptor& referrer) {
  LayoutStore::tag(Tag{}, referrer);  // to those that derive from this, an empty Tag is their name
}

bool LayoutStore::try_copy_file(const oci::Descriptor& blob, const UniqueFd& file) {
  if (!blob.digest.verifiable()) return false;
  return copy_blob_file(blob, file, state_->writable_dir(blob.digest), blob_name(blob.digest),
                        state_->kind());
}

Writer::Accepts LayoutStore::accepts() const {
  return {.docker = state_->options.accepts_docker,
          .default_layer_codec = state_->options.codec_default};
}

std::vector<oci::Descriptor> LayoutStore::entries() { return state_->read_index().manifests; }

std::optional<oci::Descriptor> LayoutStore::entry(std::size_t position) {
  std::vector<oci::Descriptor> all = entries();
  if (position >= all.size()) return std::nullopt;
  return std::move(all[position]);
}

void LayoutStore::edit_index(const std::function<void(oci::Index&)>& edit) {
  const LayoutLock lock(state_->dir);
  oci::Index index = state_->read_index();
  const oci::Index before = index;
  edit(index);
  if (index == before) return;
  state_->write_index(index);
}

void LayoutStore::remove(const TagOrDigest& reference) {
  const auto what = [&] {
    const std::string name = to_string(reference);
    return cat("delete ", name.empty() ? "the image" : quoted(name), " from layout ",
               quoted(state_->path));
  };
  with_context(what, [&] {
    if (stat_entry(state_->dir, kLocalStoreMark)) {
      throw Error(Errc::unsupported, "it is a local store: use 'lade rmi' and 'lade prune'");
    }
    const bool owns_blobs = state_->options.shared_blob_dir.empty();
    std::optional<OnlyWriter> only;
    if (owns_blobs) only.emplace(state_->blobs, state_->lock_otherwise());
    const LayoutLock lock(state_->dir);
    oci::Index index = state_->read_index();
    const std::vector<oci::Descriptor> taken =
        take_entries(index.manifests, reference, state_->path);
    if (taken.empty()) throw Error(Errc::not_found, "index.json lists no such image");
    std::set<Digest> unneeded;
    if (owns_blobs) {
      const auto has = [this](const oci::Descriptor& blob) { return contains(blob); };
      unneeded = reached_blobs(*this, taken, has);
      for (const Digest& kept : reached_blobs(*this, index.manifests, has)) unneeded.erase(kept);
    }
    state_->write_index(index);
    for (const Digest& digest : unneeded) remove_blob(digest);
  });
}

void LayoutStore::remove_blob(const Digest& digest) {
  const std::optional<DirFd> dir = state_->algorithm_dir(digest, false);
  if (!dir) return;
  if (::unlinkat(dir->get(), blob_name(digest).c_str(), 0) != 0 && errno != ENOENT) {
    throw_errno(cat("remove blob ", digest.str()));
  }
}

void LayoutStore::forget_partial_blobs() { state_->sweep(std::chrono::seconds(0)); }

std::vector<Digest> LayoutStore::blobs() {
  std::vector<Digest> digests;
  if (!state_->blobs) return digests;
  for (const std::string& algorithm : list_names(state_->blobs)) {
    const DirFd sub(UniqueFd(::openat(state_->blobs.get(), algorithm.c_str(),
                                      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)));
    if (!sub) continue;
    for (const std::string& name : list_names(sub)) {
      if (std::optional<Digest> digest = Digest::try_parse(cat(algorithm, ":", name))) {
        digests.push_back(*std::move(digest));
      }
    }
  }
  std::sort(digests.begin(), digests.end());
  return digests;
}

const DirFd& LayoutStore::dir() const noexcept { return state_->dir; }

const std::string& LayoutStore::path() const noexcept { return state_->path; }

std::unique_ptr<Source> LayoutStore::do_open(const oci::Descriptor& blob) {
  return do_open_at(blob, 0);
}

std::unique_ptr<Source> LayoutStore::do_open_at(const oci::Descriptor& blob, std::uint64_t offset) {
  const std::optional<DirFd> dir = state_->algorithm_dir(blob.digest, false);
  if (!dir) {
    throw Error(Errc::not_found, cat("open blob ", blob.digest.str(),
                                     ": there is none of its "
                                     "algorithm in ",
                                     quoted(state_->path)));
  }
  return std::make_unique<FileRangeSource>(open_blob_file(*dir, blob_name(blob.digest), blob),
                                           offset, blob.size - offset,
                                           cat("blob ", blob.digest.str()));
}

}  // namespace lade
