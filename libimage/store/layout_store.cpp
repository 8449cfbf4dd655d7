#include "libimage/store/layout_store.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"
#include "libimage/oci/layout.h"
#include "libimage/store/blob_file.h"
#include "libimage/store/layout_state.h"

namespace lade {
namespace {

std::string blob_name(const Digest& digest) { return std::string(digest.encoded()); }

}  // namespace

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
