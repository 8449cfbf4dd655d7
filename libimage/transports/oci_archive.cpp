#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/layout.h"
#include "libimage/store/blob_check.h"
#include "libimage/store/layout_index.h"
#include "libimage/transports/archive_file.h"
#include "libimage/transports/archive_output.h"
#include "libimage/transports/path_name.h"
#include "libimage/transports/table.h"

namespace lade {
namespace {

constexpr std::uint64_t kMaxMarkerBytes = std::uint64_t{64} * 1024;

// Validators look for the directory itself.
constexpr std::array kDirectories{"blobs/", "blobs/sha256/"};

std::string blob_member(const Digest& digest) {
  return cat("blobs/", digest.algorithm(), "/", digest.encoded());
}

std::string name_of_blob(std::string_view /*media_type*/, const Digest& digest) {
  return blob_member(digest);
}

/// index.json of a layout in an archive; Error{invalid_content} if it is none.
oci::Index read_layout_index(const ArchiveFile& archive) {
  if (archive.find(oci::kLayoutFile) == nullptr) {
    throw Error(Errc::invalid_content, "there is no oci-layout member, so this is no OCI archive");
  }
  oci::check_layout_marker(archive.text(oci::kLayoutFile, kMaxMarkerBytes));
  return oci::parse_index(archive.text(oci::kIndexFile, oci::kMaxManifestBytes));
}

/// An OCI layout in a tar archive, read where it lies.
class OciArchiveReader final : public Reader {
 public:
  OciArchiveReader(PathAndReference name, const SessionOptions& options)
      : name_(std::move(name)), archive_(name_.path, options) {
    with_context([&] { return cat("archive ", quoted(name_.path)); },
                 [&] { index_ = read_layout_index(archive_); });
  }

  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override {
    const std::vector<oci::Descriptor>& entries = index_.manifests;
    const auto* tag = std::get_if<Tag>(&reference);
    if (tag != nullptr && tag->value.empty()) {
      if (name_.at) {
        return *name_.at < entries.size() ? std::optional(entries[*name_.at]) : std::nullopt;
      }
      return find_entry(entries, own_reference(), name_.path);
    }
    std::optional<oci::Descriptor> entry = find_entry(entries, reference, name_.path);
    if (entry || tag != nullptr) return entry;
    return unlisted_document(std::get<Digest>(reference));
  }

  std::optional<std::vector<std::string>> tags() override { return entry_names(index_.manifests); }

  std::optional<std::uint64_t> size_of(const Digest& blob) override {
    const ArchiveMember* member = archive_.find(blob_member(blob));
    return member == nullptr ? std::nullopt : std::optional(member->size);
  }

  std::optional<std::vector<oci::Descriptor>> referrers(const Digest& subject) override {
    const std::scoped_lock lock(referrers_mutex_);
    if (!referrers_) {
      referrers_ = all_referrers(*this, index_.manifests, [this](const oci::Descriptor& blob) {
        return archive_.find(blob_member(blob.digest)) != nullptr;
      });
    }
    return referrers_of(*referrers_, subject);
  }

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override {
    const ArchiveMember& member = archive_.member(blob_member(blob.digest));
    if (member.size != blob.size) {
      throw Error(Errc::size_mismatch, cat("open blob ", blob.digest.str(), ": the member has ",
                                           member.size, " instead of ", blob.size, " bytes"));
    }
    return archive_.open(member);
  }

 private:
  [[nodiscard]] TagOrDigest own_reference() const {
    if (const auto digest = Digest::try_parse(name_.reference)) return *digest;
    return Tag{name_.reference};
  }

  std::optional<oci::Descriptor> unlisted_document(const Digest& digest) {
    const ArchiveMember* member = archive_.find(blob_member(digest));
    if (member == nullptr || member->size > oci::kMaxManifestBytes) return std::nullopt;
    return sniff_document(*this, {.media_type = {}, .digest = digest, .size = member->size});
  }

  PathAndReference name_;
  ArchiveFile archive_;
  oci::Index index_ = {};
  std::mutex referrers_mutex_;
  std::optional<ReferrersBySubject> referrers_;  // guarded by referrers_mutex_
};

/// Writes an OCI layout as a tar archive, which appears at finish().
class OciArchiveWriter final : public Writer {
 public:
  OciArchiveWriter(PathAndReference name, const SessionOptions& options)
      : name_(std::move(name)),
        archive_(create_archive(name_.path, {.name_of = name_of_blob}, options)) {
    if (options.append_to_archives && is_existing_archive(name_.path)) keep_images(options);
  }

  bool contains(const oci::Descriptor& blob) override { return archive_->contains(blob); }

  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override {
    begin();
    return archive_->start_blob(hint);
  }

  void put_manifest(const oci::Descriptor& descriptor, std::string_view raw) override {
    check_document(descriptor, raw);
    begin();
    archive_->add(blob_member(descriptor.digest), raw);
    const oci::Document document = oci::parse_document(descriptor, std::string(raw));
    const std::scoped_lock lock(mutex_);
    children_.insert_or_assign(descriptor.digest, oci::successors(document));
  }

  void tag(const Tag& tag, const oci::Descriptor& descriptor) override {
    if (!contains(descriptor)) {
      throw Error(Errc::not_found, cat("name ", quoted(tag.value), " in ", quoted(name_.path), ": ",
                                       descriptor.digest.str(), " is not stored"));
    }
    const std::scoped_lock lock(mutex_);
    name_entry(index_.manifests, tag.value.empty() ? Tag{name_.reference} : tag, descriptor);
  }

  void list_referrer(const oci::Descriptor& referrer) override {
    const std::scoped_lock lock(mutex_);
    name_entry(index_.manifests, Tag{}, referrer);
  }

  bool try_copy_file(const oci::Descriptor& /*blob*/, const UniqueFd& /*file*/) override {
    return false;  // the member must be hashed anyway, which the stream does on its way
  }

  void finish() override {
    begin();
    const std::string index(oci::kIndexFile);
    archive_->add(index, oci::serialise(index_));
    archive_->finish(order_of_members(), index);
  }

  Accepts accepts() const override { return {.docker = false, .default_layer_codec = "gzip"}; }

 private:
  /// Not before there is something to write: a stream cannot take it back.
  void begin() {
    // Not std::call_once: glibc's unwinder and a static one do not meet in it.
    const std::scoped_lock lock(begin_mutex_);
    if (std::exchange(begun_, true)) return;
    archive_->add(std::string(oci::kLayoutFile), oci::layout_marker());
    for (const char* directory : kDirectories) archive_->add(directory, {});
  }

  /// Takes over the archive that is there: its index, and all its blobs.
  void keep_images(const SessionOptions& options) {
    const ArchiveFile old(name_.path, options);
    with_context([&] { return cat("add to archive ", quoted(name_.path)); },
                 [&] {
                   index_ = read_layout_index(old);
                   for (const ArchiveMember& member : old.index().members()) {
                     const bool file = member.kind != ArchiveMember::Kind::directory;
                     if (!file || !member.path.starts_with("blobs/")) continue;
                     archive_->adopt(old, old.member(member.path), member.path);
                   }
                 });
  }

  /// Each document behind what it points to, in the order of index.json, so that the archive's
  /// bytes follow from the images alone.
  [[nodiscard]] std::vector<std::string> order_of_members() const {
    struct Step {
      Digest digest;
      bool expanded;
    };
    std::vector<std::string> order{std::string(oci::kLayoutFile)};
    order.insert(order.end(), kDirectories.begin(), kDirectories.end());
    std::set<Digest> seen;
    std::vector<Step> steps;
    const auto push_all = [&](const std::vector<oci::Descriptor>& descriptors) {
      for (auto it = descriptors.rbegin(); it != descriptors.rend(); ++it) {
        steps.push_back({it->digest, false});
      }
    };
    push_all(index_.manifests);
    while (!steps.empty()) {
      const Step step = std::move(steps.back());
      steps.pop_back();
      const auto children = children_.find(step.digest);
      if (step.expanded || children == children_.end()) {
        order.push_back(blob_member(step.digest));
      } else if (seen.insert(step.digest).second) {
        steps.push_back({step.digest, true});
        push_all(children->second);
      }
    }
    return order;
  }

  PathAndReference name_;
  std::unique_ptr<ArchiveOutput> archive_;
  std::mutex begin_mutex_;
  bool begun_ = false;  // guarded by begin_mutex_
  std::mutex mutex_;
  oci::Index index_ = {};                                    // guarded by mutex_
  std::map<Digest, std::vector<oci::Descriptor>> children_;  // guarded by mutex_: of documents
};

std::unique_ptr<Reader> read_archive(const ImageName& name, Session& session) {
  PathAndReference parts = parse_path_name(name);
  return std::make_unique<OciArchiveReader>(std::move(parts), session.options());
}

std::unique_ptr<Writer> write_archive(const ImageName& name, Session& session) {
  return std::make_unique<OciArchiveWriter>(parse_path_name_to_write(name), session.options());
}

}  // namespace

Transport oci_archive_transport() {
  return {.name = "oci-archive",
          .syntax = "oci-archive:FILE|-[:REF|:@N]",
          .reader = read_archive,
          .writer = write_archive,
          .reference = path_name_reference};
}

}  // namespace lade
