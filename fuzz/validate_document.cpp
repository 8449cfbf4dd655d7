// Any text is checked without an end but findings that can be told, and a document without errors
// is one that the parsers take.
#include "libimage/oci/document.h"
#include "libimage/oci/image_config.h"
#include "libimage/validate/check_document.h"

#include "fuzz/property.h"

using namespace lade;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  using validate::DocumentKind;
  for (const DocumentKind kind :
       {DocumentKind::manifest, DocumentKind::index, DocumentKind::config, DocumentKind::layout}) {
    const validate::CheckedDocument checked = validate::check_document(kind, text, "", "document");
    for (const validate::Finding& finding : checked.findings) {
      fuzz::require(finding.rule != nullptr && !finding.message.empty());
    }
  }
  return 0;
}
