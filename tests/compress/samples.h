// Content, sources and sinks that the tests of the codecs share.
#pragma once
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "libimage/base/error.h"
#include "libimage/compress/codec.h"

namespace lade::testing {

inline constexpr std::size_t kMiB = std::size_t{1024} * 1024;

/// `size` bytes that look like a tar of programs: runs, repeated words and noise; the same for the
/// same seed.
inline std::string sample(std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string out;
  out.reserve(size + 4096);
  while (out.size() < size) {
    const auto length = random() % 4096 + 1;
    switch (random() % 4) {
      case 0:
        out.append(length, static_cast<char>(random()));
        break;
      case 1:
        for (unsigned i = 0; i < length; ++i) out += static_cast<char>(random());
        break;
      case 2:
        if (!out.empty()) out += out.substr(random() % out.size(), length);
        break;
      default:
        for (unsigned i = 0; i < length / 8; ++i) out += "usr/bin/" + std::to_string(random() % 99);
    }
  }
  out.resize(size);
  return out;
}

/// `size` bytes that do not compress.
inline std::string noise(std::size_t size, unsigned seed = 1) {
  std::mt19937_64 random(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

/// `content` compressed, written in pieces of at most `piece` bytes.
inline std::string compress(std::string_view codec, std::string_view content,
                            const CompressOptions& options = {}, std::size_t piece = kMiB / 3) {
  StringSink out;
  const std::unique_ptr<Sink> sink = codec_named(codec).compress_to(out, options);
  for (std::size_t at = 0; at < content.size(); at += piece) {
    sink->write(bytes_of(content.substr(at, piece)));
  }
  sink->finish();
  return out.text();
}

/// Gives at most `most` bytes for each read.
class SlowSource final : public Source {
 public:
  explicit SlowSource(std::string_view text, std::size_t most = 1) : source_(text), most_(most) {}
  std::size_t read(std::span<std::byte> out) override {
    return source_.read(out.first(std::min(out.size(), most_)));
  }

 private:
  StringSource source_;
  std::size_t most_;
};

/// All of `source`, read in pieces of `piece` bytes.
inline std::string read_in_pieces(Source& source, std::size_t piece) {
  std::string text;
  std::vector<std::byte> buffer(piece);
  while (const std::size_t got = source.read(buffer))
    text += chars_of(std::span(buffer).first(got));
  return text;
}

inline std::string decompress(std::string_view codec, std::string_view stream,
                              const DecompressOptions& options = {}) {
  StringSource in(stream);
  const std::unique_ptr<Source> source = codec_named(codec).decompress_from(in, options);
  return read_in_pieces(*source, kChunkBytes);
}

/// The code that `body` fails with; nullopt if it does not.
template <typename Body>
std::optional<Errc> failure_of(const Body& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.code();
  }
  return std::nullopt;
}

}  // namespace lade::testing
