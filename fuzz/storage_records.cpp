// layers.json and images.json: what was read is the same after it was written and read again, and
// no record leads out of its directory or runs in circles.
#include <cstdint>
#include <string>

#include "libimage/base/error.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"
#include "libimage/storage/container_store.h"
#include "libimage/storage/signature_data.h"
#include "libimage/storage/storage_name.h"

#include "fuzz/property.h"

namespace {

template <typename Parse>
void check_round_trip(std::string_view text, const Parse& parse) {
  try {
    const auto records = parse(text);
    lade::fuzz::require(parse(lade::serialise(records)) == records);
  } catch (const lade::Error&) {
    // What breaks the rules is refused.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const lade::TempDir temp("/tmp", "lade-fuzz-");
  static const lade::GraphRoot root(temp.path(), "vfs", lade::StoreAccess::write, {});
  const std::string_view text = lade::fuzz::text_of(data, size);
  check_round_trip(text, lade::parse_layer_records);
  check_round_trip(text, lade::parse_image_records);
  try {
    lade::StoreView view;
    for (lade::LayerRecord& layer : lade::parse_layer_records(text)) view.add(layer, root);
    for (lade::ImageRecord& image : lade::parse_image_records(text)) view.add(image, root);
    for (const lade::KnownImage& image : view.images()) {
      const lade::Digest digest = lade::sha256_of(image.record.metadata);
      const lade::SignatureData kept = lade::signatures_in(image.record, digest);
      lade::ImageRecord changed = image.record;
      lade::add_signatures(changed, digest, {"a", "bc"},
                           [](const auto&, const auto&, const auto&) {});
      lade::fuzz::require(lade::signatures_in(changed, digest).sizes.size() == 2);
      (void)lade::cut_signatures(image.record.metadata, kept);
    }
    for (const lade::KnownLayer& layer : view.layers()) {
      lade::fuzz::require(lade::is_storage_id(layer.record.id));
      (void)view.chain(layer);
    }
    (void)lade::find_image(view, "localhost/a:b");
    (void)lade::parse_mount_counts(text);
  } catch (const lade::Error&) {
    // As above.
  }
  return 0;
}
