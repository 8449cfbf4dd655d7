#include "tools/common/precomputed_writer.h"

#include <utility>

#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/io/path.h"
#include "libimage/store/blob_check.h"
#include "libimage/store/pending_file.h"

namespace lade::tools {
namespace {

class PrecomputedBlob final : public BlobWriter {
 public:
  PrecomputedBlob(Writer& destination, const std::string& temp_root)
      : destination_(destination),
        file_(open_dir(temp_root), PendingFile::Kind::unnamed, 0600),
        check_({}) {}

  void write(ByteView data) override {
    check_.add(data);
    file_.write(data);
  }

  oci::Descriptor commit(oci::MediaType media_type) override {
    const oci::Descriptor blob = check_.result(std::move(media_type));
    if (destination_.contains(blob)) return blob;
    const std::unique_ptr<BlobWriter> to =
        destination_.start_blob({.expected = blob, .verified_by_source = false});
    FileRangeSource from(own_descriptor(), to->kept(), blob.size - to->kept(), "precomputed blob");
    pump(from, *to);
    return to->commit(blob.media_type);
  }

 private:
  [[nodiscard]] std::shared_ptr<const UniqueFd> own_descriptor() const {
    UniqueFd copy(::fcntl(file_.fd(), F_DUPFD_CLOEXEC, 0));
    if (!copy) throw_errno("duplicate descriptor");
    return std::make_shared<const UniqueFd>(std::move(copy));
  }

  Writer& destination_;
  PendingFile file_;
  BlobCheck check_;
};

class PrecomputingWriter final : public Writer {
 public:
  PrecomputingWriter(Writer& destination, std::string temp_root)
      : to_(destination), temp_root_(std::move(temp_root)) {}

  bool contains(const oci::Descriptor& blob) override { return to_.contains(blob); }
  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override {
    if (hint.expected) return to_.start_blob(hint);
    return std::make_unique<PrecomputedBlob>(to_, temp_root_);
  }
  void put_manifest(const oci::Descriptor& descriptor, std::string_view raw) override {
    to_.put_manifest(descriptor, raw);
  }
  void tag(const Tag& tag, const oci::Descriptor& descriptor) override { to_.tag(tag, descriptor); }
  void list_referrer(const oci::Descriptor& referrer) override { to_.list_referrer(referrer); }
  [[nodiscard]] bool may_mount(const Origin& from) const override { return to_.may_mount(from); }
  bool try_mount(const oci::Descriptor& blob, const Origin& from) override {
    return to_.try_mount(blob, from);
  }
  bool try_copy_file(const oci::Descriptor& blob, const UniqueFd& file) override {
    return to_.try_copy_file(blob, file);
  }
  void put_signatures(const oci::Descriptor& document,
                      const std::vector<std::string>& signatures) override {
    to_.put_signatures(document, signatures);
  }
  void remove(const TagOrDigest& reference) override { to_.remove(reference); }
  void finish() override { to_.finish(); }
  [[nodiscard]] Accepts accepts() const override { return to_.accepts(); }

 private:
  Writer& to_;
  std::string temp_root_;
};

}  // namespace

std::unique_ptr<Writer> precomputing(Writer& destination, std::string temp_root) {
  return std::make_unique<PrecomputingWriter>(destination, std::move(temp_root));
}

}  // namespace lade::tools
