// The speed of a codec in a layer's pipeline: hash, codec, hash, file.
#include <chrono>
#include <cstdio>
#include <string>

#include <fcntl.h>
#include <sys/resource.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/digest/hasher.h"

namespace {

using namespace lade;

constexpr const char* kUsage =
    "usage: codec_speed compress CODEC LEVEL|fastest THREADS IN OUT\n"
    "       codec_speed decompress IN\n";

FdSource open_source(const char* path) {
  UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno(cat("open ", path));
  return {std::move(fd), path};
}

int number(const char* text) {
  const auto value = parse_decimal(text);
  if (!value || *value > 1000) throw Error(Errc::invalid_argument, cat(text, " is no number"));
  return static_cast<int>(*value);
}

struct Bytes {
  std::uint64_t content = 0;
  std::uint64_t stream = 0;
};

Bytes compress(char** words) {
  CompressOptions options;
  options.fastest = std::string_view(words[1]) == "fastest";
  if (!options.fastest) options.level = number(words[1]);
  options.threads = static_cast<unsigned>(number(words[2]));
  FdSource in = open_source(words[3]);
  const UniqueFd out(::open(words[4], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!out) throw_errno(cat("create ", words[4]));
  FdSink file(out.get(), words[4]);
  HashingSink stream(file);
  const auto codec = codec_named(words[0]).compress_to(stream, options);
  HashingSink content(*codec);
  pump(in, content);
  content.finish();
  return {content.bytes(), stream.bytes()};
}

Bytes decompress(const char* path) {
  FdSource in = open_source(path);
  HashingSource stream(in);
  const Codec& codec = [&]() -> const Codec& {
    FdSource head = open_source(path);
    std::byte bytes[6];
    return codec_of(std::span(bytes).first(read_full(head, bytes)));
  }();
  const auto decoder = codec.decompress_from(stream, {});
  HashingSource content(*decoder);
  drain(content);
  return {content.bytes(), stream.bytes()};
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (!(verb == "compress" && argc == 7) && !(verb == "decompress" && argc == 3)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  try {
    const auto start = std::chrono::steady_clock::now();
    const Bytes bytes = verb == "compress" ? compress(argv + 2) : decompress(argv[2]);
    const double wall =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    std::printf("%.0f MB/s of content, %.2f s, cpu %.2f s, ratio %.3f, peak memory %ld MB\n",
                static_cast<double>(bytes.content) / 1e6 / wall, wall,
                seconds(usage.ru_utime) + seconds(usage.ru_stime),
                static_cast<double>(bytes.content) / static_cast<double>(bytes.stream),
                usage.ru_maxrss / 1024);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "codec_speed: %s\n", e.what());
    return 1;
  }
  return 0;
}
