#pragma once
#include <string>
#include <string_view>

#include "libimage/compress/codec.h"
#include "libimage/io/stream.h"

namespace lade::testing {

/// `bytes` as the codec of that name writes them by default.
inline std::string compressed(std::string_view codec, const std::string& bytes) {
  StringSink sink;
  const auto encoder = codec_named(codec).compress_to(sink, {});
  encoder->write(bytes_of(bytes));
  encoder->finish();
  return sink.text();
}

}  // namespace lade::testing
