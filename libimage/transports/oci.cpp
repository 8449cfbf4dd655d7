#include <optional>
#include <string>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/store/layout_index.h"
#include "libimage/store/layout_store.h"
#include "libimage/transports/path_name.h"
#include "libimage/transports/table.h"

namespace lade {
namespace {

/// A layout seen through a name "oci:DIR[:REF|:@N]": an empty Tag means that name's own image.
class NamedLayout final : public LayoutStore {
 public:
  NamedLayout(PathAndReference name, LayoutOptions options)
      : LayoutStore(name.path, std::move(options)), name_(std::move(name)) {}

  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override {
    if (!is_own_name(reference)) return LayoutStore::resolve(reference);
    if (name_.at) return entry(*name_.at);
    return LayoutStore::resolve(Tag{name_.reference});
  }

  void tag(const Tag& tag, const oci::Descriptor& descriptor) override {
    LayoutStore::tag(tag.value.empty() ? Tag{name_.reference} : tag, descriptor);
  }

  void remove(const TagOrDigest& reference) override {
    LayoutStore::remove(is_own_name(reference) ? Tag{name_.reference} : reference);
  }

 private:
  static bool is_own_name(const TagOrDigest& reference) {
    const auto* tag = std::get_if<Tag>(&reference);
    return tag != nullptr && tag->value.empty();
  }

  PathAndReference name_;
};

std::unique_ptr<Reader> read_layout(const ImageName& name, Session& session) {
  return std::make_unique<NamedLayout>(
      parse_path_name(name), LayoutOptions{.shared_blob_dir = session.options().shared_blob_dir});
}

std::unique_ptr<Writer> write_layout(const ImageName& name, Session& session) {
  // Other tools take OCI documents only from a layout, so Docker's are converted on their way in.
  return std::make_unique<NamedLayout>(
      parse_path_name_to_write(name),
      LayoutOptions{.create = true,
                    .shared_blob_dir = session.options().shared_blob_dir,
                    .accepts_docker = false,
                    .remove_if_unused = true});
}

}  // namespace

Transport oci_transport() {
  return {.name = "oci",
          .syntax = "oci:DIR[:REF|:@N]",
          .reader = read_layout,
          .writer = write_layout,
          .reference = path_name_reference};
}

}  // namespace lade
