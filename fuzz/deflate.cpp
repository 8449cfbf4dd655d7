// Our deflate encoder: whatever the content, zlib reads it back, and it grows no more than
// promised. The input is a list of steps that make the content, so that few bytes reach windows and
// blocks.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include <zlib.h>

#include "libimage/compress/deflate_encoder.h"

#include "fuzz/property.h"

namespace {

using lade::fuzz::require;

constexpr std::size_t kMaxContent = 400'000;

/// Appends what four bytes say: a kind, a size and a parameter.
void grow(std::string& content, const std::uint8_t* step) {
  const std::size_t size = (std::size_t{step[1]} << (step[0] >> 4U)) % 70'000;
  const unsigned parameter = step[2] | unsigned{step[3]} << 8U;
  std::uint32_t random = parameter + 1;
  const auto next = [&] { return random = random * 1'664'525U + 1'013'904'223U; };
  switch (step[0] & 3U) {
    case 0:  // the bytes themselves
      content.append(reinterpret_cast<const char*>(step + 1), 3);
      break;
    case 1:  // what stands at a distance
      for (std::size_t i = 0; i < size && parameter < content.size(); ++i) {
        content += content[content.size() - 1 - parameter];
      }
      break;
    case 2:  // noise
      for (std::size_t i = 0; i < size; ++i) content += static_cast<char>(next() >> 24U);
      break;
    default:  // an alphabet
      for (std::size_t i = 0; i < size; ++i) {
        content += static_cast<char>((next() >> 16U) % (1 + step[3]));
      }
  }
}

std::string inflated(std::string& stream, std::size_t size) {
  z_stream state{};
  require(inflateInit2(&state, -15) == Z_OK);
  std::string out(size + 1, '\0');
  state.next_in = reinterpret_cast<Bytef*>(stream.data());
  state.avail_in = static_cast<uInt>(stream.size());
  state.next_out = reinterpret_cast<Bytef*>(out.data());
  state.avail_out = static_cast<uInt>(out.size());
  require(inflate(&state, Z_FINISH) == Z_STREAM_END);
  require(state.avail_in == 0);
  out.resize(out.size() - state.avail_out);
  inflateEnd(&state);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string content;
  if (size != 0 && data[0] == 0) {  // as it is
    content = lade::fuzz::text_of(data + 1, size - 1);
  } else {
    for (; size >= 4 && content.size() < kMaxContent; size -= 4, data += 4) grow(content, data);
  }
  static const auto encoder = std::make_unique<lade::DeflateEncoder>();
  std::string stream(lade::DeflateEncoder::bound(content.size()), '\0');
  const std::size_t written =
      encoder->compress(lade::bytes_of(content), std::as_writable_bytes(std::span(stream)));
  require(written <= content.size() + content.size() / 4096 + 16);
  stream.resize(written);
  require(inflated(stream, content.size()) == content);
  return 0;
}
