#include "libimage/seekable/tar_split.h"

#include "libimage/base/base64.h"
#include "libimage/base/text.h"
#include "libimage/oci/json_text.h"

namespace lade::seekable {

void TarSplitWriter::segment(ByteView bytes) {
  out_.write(bytes_of(cat("{\"type\":2,\"payload\":\"", to_base64(chars_of(bytes)),
                          "\",\"position\":", position_++, "}\n")));
}

void TarSplitWriter::file(std::string_view path, std::uint64_t size, std::uint64_t crc) {
  std::string line = cat("{\"type\":1,\"name\":", oci::json_string(path));
  if (size == 0) {
    line += ",\"payload\":null";
  } else {
    std::string big_endian;
    for (unsigned shift = 64; shift > 0; shift -= 8) {
      big_endian += static_cast<char>((crc >> (shift - 8)) & 0xFFU);
    }
    line += cat(",\"size\":", size, ",\"payload\":\"", to_base64(big_endian), "\"");
  }
  out_.write(bytes_of(cat(line, ",\"position\":", position_++, "}\n")));
}

}  // namespace lade::seekable
