// Statements of any form are read without harm, and what is kept of them is JSON again.
#include "libimage/image/statement.h"

#include "fuzz/property.h"

using namespace lade;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  try {
    const image::Statement statement = image::parse_statement(text, "application/json");
    fuzz::require(!statement.predicate.empty());
    if (statement.provenance) (void)image::base_of(*statement.provenance);
  } catch (const Error& e) {
    fuzz::require(e.code() == Errc::invalid_content || e.code() == Errc::limit_exceeded);
  }
  return 0;
}
