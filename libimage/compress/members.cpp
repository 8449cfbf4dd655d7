#include "libimage/compress/members.h"

#include <isa-l/crc64.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec_table.h"

namespace lade {
namespace {

MemberFormat format_of(std::string_view codec, const CompressOptions& options, std::size_t input) {
  if (codec == "gzip") return gzip_members(options, input);
  if (codec == "zstd") return zstd_members(options, input);
  throw Error(Errc::unsupported, cat("compression ", quoted(codec), " has no members"));
}

}  // namespace

std::unique_ptr<MemberSink> member_sink(std::string_view codec, Sink& out,
                                        const CompressOptions& options,
                                        std::function<void(std::uint64_t)> on_member,
                                        std::size_t largest) {
  return std::make_unique<MemberSink>(out, format_of(codec, options, largest), options.threads,
                                      std::move(on_member));
}

std::string one_member(std::string_view codec, std::string_view content,
                       const CompressOptions& options) {
  const MemberFormat format = format_of(codec, options, std::max<std::size_t>(content.size(), 1));
  std::string out(format.bound, '\0');
  const std::size_t size =
      format.make_compressor(format.level)
          ->compress(bytes_of(content), std::as_writable_bytes(std::span(out)));
  out.resize(size);
  return out;
}

std::uint64_t crc64_iso(std::uint64_t before, ByteView data) {
  return ::crc64_iso_refl(before, reinterpret_cast<const unsigned char*>(data.data()), data.size());
}

}  // namespace lade
