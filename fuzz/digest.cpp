// A digest is its own text, and each part of it is a safe file name.
#include "libimage/digest/digest.h"

#include "fuzz/property.h"

using namespace lade;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const auto digest = Digest::try_parse(text);
  if (!digest) return 0;
  fuzz::require(digest->str() == text);
  fuzz::require(digest->encoded().find_first_of(std::string_view("/.\0", 3)) ==
                std::string_view::npos);
  fuzz::require(digest->algorithm().find('/') == std::string_view::npos);
  fuzz::require(digest->algorithm().size() + 1 + digest->encoded().size() == size);
  fuzz::require(Digest::parse(digest->str()) == *digest);
  return 0;
}
