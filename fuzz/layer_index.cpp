// Indexes of layers, and rows of tars: what is read can be written and merged; damage is refused.
#include <cstdint>
#include <string>

#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/digest/hasher.h"
#include "libimage/files/merged_files.h"

#include "fuzz/property.h"

namespace {

/// As an index is kept: the fuzzer cannot guess a checksum.
std::string sealed(std::string_view body) {
  lade::StringSink packed;
  const auto zstd = lade::codec_named("zstd").compress_to(packed, {.level = 1});
  zstd->write(lade::bytes_of(body));
  zstd->finish();
  return lade::cat("lade-files-1\n", lade::sha256_of(packed.text()).encoded(), packed.text());
}

void merge(const lade::files::LayerFiles& layer, lade::files::FilePool& pool) {
  try {
    lade::files::MergedFiles files(pool, lade::files::MergedFiles::Below::unknown);
    files.add(layer, 0);
    files.walk(lade::files::kRoot, [&](lade::files::PathId path) {
      lade::fuzz::require(files.at(path) != nullptr);
      return true;
    });
  } catch (const lade::Error&) {
    // What unpacking would refuse.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = lade::fuzz::text_of(data, size);
  lade::files::FilePool pool;
  (void)lade::files::read_index(text, pool);
  if (auto layer = lade::files::read_index(sealed(text), pool)) {
    layer->seek = nullptr;
    lade::files::FilePool other;
    lade::fuzz::require(
        lade::files::read_index(lade::files::write_index(*layer, pool), other).has_value());
    merge(*layer, pool);
  }
  try {
    lade::StringSource tar(text);
    lade::files::FilePool rows;
    lade::files::LayerFiles layer;
    lade::files::scan_layer(tar, rows, layer);
    merge(layer, rows);
  } catch (const lade::Error&) {
    // What is no layer is refused.
  }
  return 0;
}
