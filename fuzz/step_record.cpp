// What parses as a step result or as a snapshot's record is written as the same text again.
#include "libimage/local/step_record.h"

#include "fuzz/property.h"

using namespace lade;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  if (const auto step = parse_step(std::string(64, 'a'), text)) {
    const auto again = parse_step(step->key, write_step(*step));
    fuzz::require(again.has_value());
    fuzz::require(again->layer == step->layer && again->diff_id == step->diff_id);
    fuzz::require(again->uncompressed_bytes == step->uncompressed_bytes);
    fuzz::require(again->note == step->note);
  }
  if (const auto record = parse_snapshot_record(text)) {
    fuzz::require(write_snapshot_record(*record) == text);
  }
  return 0;
}
