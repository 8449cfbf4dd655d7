#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"
#include "libimage/oci/schema1.h"
#include "libimage/store/blob_file.h"
#include "libimage/store/made_dirs.h"
#include "libimage/store/text_source.h"
#include "libimage/transports/table.h"

// The layout is skopeo's: `version`, `manifest.json`, every blob under the hex of its digest,
// the images of an index as <hex>.manifest.json, signatures of manifest.json as signature-N, those
// of an image of the index as <hex>.signature-N.
namespace lade {
namespace {

constexpr const char* kVersionFile = "version";
constexpr const char* kManifestFile = "manifest.json";
constexpr std::string_view kInstanceSuffix = ".manifest.json";
constexpr std::string_view kVersion11 = "Directory Transport Version: 1.1\n";
constexpr std::string_view kVersion12 = "Directory Transport Version: 1.2\n";  // not only sha256
constexpr std::uint64_t kMaxVersionBytes = 100;
constexpr std::string_view kSignaturePrefix = "signature-";
// skopeo's limits on a signature are of this order; more only costs memory.
constexpr std::uint64_t kMaxSignatureBytes = std::uint64_t{1024} * 1024;
constexpr std::size_t kMaxSignatures = 128;

std::string blob_name(const Digest& digest) {
  if (digest.algorithm() == "sha256") return std::string(digest.encoded());
  return cat(digest.algorithm(), "-", digest.encoded());
}

std::string instance_name(const Digest& digest) { return cat(blob_name(digest), kInstanceSuffix); }

/// The N-th signature of manifest.json, or of the instance `digest`; counted from 1.
std::string signature_name(const Digest* instance, std::size_t number) {
  const std::string name = cat(kSignaturePrefix, number);
  return instance == nullptr ? name : cat(blob_name(*instance), ".", name);
}

std::optional<std::string> read_version(const DirFd& dir) {
  if (!stat_entry(dir, kVersionFile)) return std::nullopt;
  return read_file_at(dir, kVersionFile, kMaxVersionBytes);
}

/// Throws unless the version is one that we know.
void check_version(std::string_view text) {
  const std::string_view version = trimmed(text);
  if (version != trimmed(kVersion11) && version != trimmed(kVersion12) &&
      version != "Directory Transport Version: 1.0") {
    throw Error(Errc::unsupported, cat("version file says ", quoted(version.substr(0, 80))));
  }
}

void write_small_file(const DirFd& dir, const std::string& name, std::string_view content) {
  PendingFile file(dir);
  file.write(bytes_of(content));
  file.publish(name);
}

class DirReader final : public Reader {
 public:
  explicit DirReader(const std::string& path) : path_(path), dir_(open_dir(path)) {
    with_context([&] { return cat("image directory ", quoted(path_)); },
                 [&] {
                   if (const auto version = read_version(dir_)) check_version(*version);
                   if (!stat_entry(dir_, kManifestFile)) {
                     throw Error(Errc::not_found, "there is no manifest.json");
                   }
                   root_raw_ = read_file_at(dir_, kManifestFile, oci::kMaxManifestBytes);
                   std::string type = oci::sniff_media_type(root_raw_);
                   if (oci::is_schema1(type)) {  // known by the digest of what was signed
                     root_raw_ = oci::schema1_payload(root_raw_);
                     type = oci::kDockerSchema1;
                   }
                   root_ = oci::describe(std::move(type), root_raw_);
                 });
  }

  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override {
    if (const auto* tag = std::get_if<Tag>(&reference)) {
      return tag->value.empty() ? std::optional(root_) : std::nullopt;
    }
    const auto& digest = std::get<Digest>(reference);
    if (digest == root_.digest) return root_;
    const std::string name = instance_name(digest);
    if (!digest.verifiable() || !stat_entry(dir_, name)) return std::nullopt;
    const std::string raw = read_file_at(dir_, name, oci::kMaxManifestBytes);
    return oci::Descriptor{
        .media_type = oci::sniff_media_type(raw), .digest = digest, .size = raw.size()};
  }

  std::optional<std::uint64_t> size_of(const Digest& blob) override {
    const auto st = blob.verifiable() ? stat_entry(dir_, blob_name(blob)) : std::nullopt;
    if (!st || !S_ISREG(st->st_mode)) return std::nullopt;
    return static_cast<std::uint64_t>(st->st_size);
  }

  std::vector<std::string> signatures(const oci::Descriptor& document) override {
    const Digest* instance = document.digest == root_.digest ? nullptr : &document.digest;
    std::vector<std::string> found;
    for (std::size_t number = 1;; ++number) {
      const std::string name = signature_name(instance, number);
      if (!stat_entry(dir_, name)) return found;
      if (number > kMaxSignatures) {
        throw Error(Errc::limit_exceeded, cat("image directory ", quoted(path_), ": more than ",
                                              kMaxSignatures, " signatures"));
      }
      found.push_back(read_file_at(dir_, name, kMaxSignatureBytes));
    }
  }

  std::shared_ptr<const UniqueFd> file_of(const oci::Descriptor& blob) override {
    const std::string name = blob_name(blob.digest);
    if (!has_blob_file(dir_, name, blob)) return nullptr;
    return open_blob_file(dir_, name, blob);
  }

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override {
    std::string name = blob_name(blob.digest);
    if (blob.digest == root_.digest) {
      if (oci::is_schema1(root_.media_type)) return std::make_unique<TextSource>(root_raw_);
      name = kManifestFile;
    } else if (stat_entry(dir_, instance_name(blob.digest))) {
      name = instance_name(blob.digest);
    }
    return std::make_unique<FileRangeSource>(open_blob_file(dir_, name, blob), 0, blob.size,
                                             cat("blob ", blob.digest.str()));
  }

 private:
  std::string path_;
  DirFd dir_;
  std::string root_raw_;
  oci::Descriptor root_ = oci::describe("", "");
};

/// True for the names that this transport gives to files of an image: of any image, so that those
/// of an earlier one can be told from what is not ours.
bool is_image_file(std::string_view name) {
  if (name.ends_with(kInstanceSuffix)) name.remove_suffix(kInstanceSuffix.size());
  const std::size_t dash = name.find('-');
  if (name.starts_with(kSignaturePrefix) || name.find(cat(".", kSignaturePrefix)) != name.npos) {
    return true;
  }
  return dash == std::string_view::npos
             ? Digest::try_parse(cat("sha256:", name)).has_value()
             : Digest::try_parse(cat(name.substr(0, dash), ":", name.substr(dash + 1))).has_value();
}

/// Writes one image or index. The old image of the directory stays valid until manifest.json is
/// replaced; finish() removes what only it needed.
class DirWriter final : public Writer {
 public:
  explicit DirWriter(const std::string& path) : path_(path), made_(path), dir_(create_dir(path)) {
    with_context(
        [&] { return cat("image directory ", quoted(path_)); },
        [&] {
          if (const auto version = read_version(dir_)) {
            check_version(*version);
          } else if (has_foreign_content()) {
            throw Error(Errc::already_exists,
                        "not a containers image directory, don't want to overwrite important data");
          }
          PendingFile::sweep(dir_);
          is_new_ = !stat_entry(dir_, kVersionFile);
          write_small_file(dir_, kVersionFile, kVersion11);
          if (stat_entry(dir_, kManifestFile)) {
            const std::string raw = read_file_at(dir_, kManifestFile, oci::kMaxManifestBytes);
            root_ = oci::describe("", raw);
          }
        });
  }

  ~DirWriter() override {
    if (!is_new_ || published_) return;
    try {
      remove_everything();
    } catch (const Error&) {  // what is left is no image, and the next copy clears it up
      return;
    }
  }
  DirWriter(const DirWriter&) = delete;
  DirWriter& operator=(const DirWriter&) = delete;

  bool contains(const oci::Descriptor& blob) override {
    const bool document = oci::is_manifest(blob.media_type) || oci::is_index(blob.media_type);
    if (!document) return has_blob_file(dir_, blob_name(blob.digest), blob);
    return is_root(blob) || has_blob_file(dir_, instance_name(blob.digest), blob);
  }

  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override {
    if (hint.expected) note_algorithm(hint.expected->digest);
    return std::make_unique<FileBlobWriter>(dir_, hint, blob_name);
  }

  void put_manifest(const oci::Descriptor& descriptor, std::string_view raw) override {
    check_document(descriptor, raw);
    note_algorithm(descriptor.digest);
    write_small_file(dir_, instance_name(descriptor.digest), raw);
    const std::scoped_lock lock(mutex_);
    last_ = descriptor;
  }

  void tag(const Tag& tag, const oci::Descriptor& descriptor) override {
    if (!tag.value.empty()) {
      throw Error(Errc::invalid_argument, cat("name ", quoted(tag.value), " in ", quoted(path_),
                                              ": a directory holds one image without a name"));
    }
    if (!is_root(descriptor) &&
        !has_blob_file(dir_, instance_name(descriptor.digest), descriptor)) {
      throw Error(Errc::not_found, cat("publish in ", quoted(path_), ": ", descriptor.digest.str(),
                                       " is not stored"));
    }
    publish(descriptor);
  }

  /// Their names depend on which document becomes manifest.json, so they are written at the end.
  void put_signatures(const oci::Descriptor& document,
                      const std::vector<std::string>& signatures) override {
    const std::scoped_lock lock(mutex_);
    signatures_.insert_or_assign(document.digest, signatures);
  }

  bool try_copy_file(const oci::Descriptor& blob, const UniqueFd& file) override {
    note_algorithm(blob.digest);
    return copy_blob_file(blob, file, dir_, blob_name(blob.digest));
  }

  void finish() override {
    std::optional<oci::Descriptor> untagged;
    {
      const std::scoped_lock lock(mutex_);
      if (!published_) untagged = last_;
    }
    if (untagged) publish(*untagged);
    if (!published_) return;
    remove_leftovers();
    write_signatures();
  }

  Accepts accepts() const override {
    return {.names = false, .referrers = false, .signatures = true};
  }

 private:
  bool has_foreign_content() const {
    const std::vector<std::string> names = list_names(dir_);
    return std::any_of(names.begin(), names.end(),
                       [](const std::string& name) { return name != ".lade-tmp"; });
  }

  bool is_root(const oci::Descriptor& blob) const {
    const std::scoped_lock lock(mutex_);
    return root_ && root_->digest == blob.digest && root_->size == blob.size;
  }

  /// Names of other algorithms' blobs came with version 1.2.
  void note_algorithm(const Digest& digest) {
    if (digest.algorithm() == "sha256") return;
    const std::scoped_lock lock(mutex_);
    if (std::exchange(newer_version_, true)) return;
    write_small_file(dir_, kVersionFile, kVersion12);
  }

  void publish(const oci::Descriptor& descriptor) {
    const std::scoped_lock lock(mutex_);
    if (!root_ || root_->digest != descriptor.digest) {
      write_small_file(
          dir_, kManifestFile,
          read_file_at(dir_, instance_name(descriptor.digest), oci::kMaxManifestBytes));
    }
    root_ = descriptor;
    published_ = true;
  }

  /// Removes the files of images that manifest.json does not reach.
  void remove_leftovers() {
    DirReader reader(path_);
    std::set<std::string> reached;
    std::vector<oci::Descriptor> pending{*reader.resolve(Tag{})};
    std::set<Digest> seen;
    while (!pending.empty()) {
      const oci::Descriptor blob = std::move(pending.back());
      pending.pop_back();
      if (!seen.insert(blob.digest).second) continue;
      const bool document = oci::is_manifest(blob.media_type) || oci::is_index(blob.media_type);
      if (!document) {
        reached.insert(blob_name(blob.digest));
        continue;
      }
      if (seen.size() > 1) reached.insert(instance_name(blob.digest));
      if (!contains(blob)) continue;  // a sparse index lists what is elsewhere
      const std::vector<oci::Descriptor> children = oci::successors(reader.document(blob));
      pending.insert(pending.end(), children.begin(), children.end());
    }
    for (const std::string& name : list_names(dir_)) {
      if (is_image_file(name) && !reached.contains(name)) ::unlinkat(dir_.get(), name.c_str(), 0);
    }
  }

  /// After remove_leftovers(), which takes the signatures of an earlier image away.
  void write_signatures() {
    const std::scoped_lock lock(mutex_);
    for (const auto& [digest, signatures] : signatures_) {
      for (std::size_t i = 0; i < signatures.size(); ++i) {
        write_small_file(dir_, signature_name(digest == root_->digest ? nullptr : &digest, i + 1),
                         signatures[i]);
      }
    }
  }

  /// Where there was no image before, there is none after a failure.
  void remove_everything() const {
    for (const std::string& name : list_names(dir_)) {
      if (is_image_file(name) || name == kVersionFile) ::unlinkat(dir_.get(), name.c_str(), 0);
    }
    made_.remove();
  }

  std::string path_;
  MadeDirs made_;
  DirFd dir_;
  bool is_new_ = false;  // set by the constructor
  mutable std::mutex mutex_;
  std::optional<oci::Descriptor> root_;  // guarded by mutex_: what manifest.json holds
  std::optional<oci::Descriptor> last_;  // guarded by mutex_: stored last
  std::map<Digest, std::vector<std::string>> signatures_;  // guarded by mutex_: by document
  bool published_ = false;                                 // guarded by mutex_
  bool newer_version_ = false;                             // guarded by mutex_
};

void refuse_bad_path(const ImageName& name) {
  if (name.rest.empty() || name.rest.find('\0') != std::string::npos) {
    throw Error(Errc::invalid_argument, cat("image name ", quoted(name.str()), ": no path"));
  }
}

std::unique_ptr<Reader> read_dir(const ImageName& name, Session& /*session*/) {
  refuse_bad_path(name);
  return std::make_unique<DirReader>(name.rest);
}

std::unique_ptr<Writer> write_dir(const ImageName& name, Session& /*session*/) {
  refuse_bad_path(name);
  return std::make_unique<DirWriter>(name.rest);
}

TagOrDigest reference_of(const ImageName& /*name*/) { return Tag{}; }

}  // namespace

Transport dir_transport() {
  return {.name = "dir",
          .syntax = "dir:PATH",
          .reader = read_dir,
          .writer = write_dir,
          .reference = reference_of};
}

}  // namespace lade
