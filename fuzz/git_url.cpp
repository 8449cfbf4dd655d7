// Git URLs, names of contexts and --chmod: what is accepted can be no option of a program, and
// leads nowhere out.
#include "libimage/build/git_url.h"

#include "libimage/build/context_source.h"
#include "libimage/build/file_mode.h"
#include "libimage/build/remote_file.h"
#include "libimage/io/path.h"

#include "fuzz/property.h"

using namespace lade;

namespace {

bool is_option(std::string_view text) { return text.starts_with('-'); }

void check_url(std::string_view text) {
  try {
    const build::GitUrl url = build::parse_git_url(text);
    fuzz::require(!url.remote.empty() && !is_option(url.remote) && !is_option(url.ref));
    fuzz::require(!url.host.empty() && !is_option(url.host));
    fuzz::require(url.subdirectory == clean_path(url.subdirectory));
    fuzz::require(url.remote.find("ext::") != 0 && url.remote.find("file:") != 0);
  } catch (const Error& e) {
    fuzz::require(e.code() == Errc::invalid_content);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  check_url(text);
  const std::string name = build::file_name_of_url(text);
  fuzz::require(!name.empty() && name.find('/') == std::string::npos && name != "..");
  (void)build::parse_http_date(text);
  try {
    (void)build::parse_context_name(text);
  } catch (const Error&) {  // refused
  }
  try {
    const build::FileMode mode = build::FileMode::parse(text);
    fuzz::require(mode.apply(0644, FileType::regular) <= 07777);
  } catch (const Error& e) {
    fuzz::require(e.code() == Errc::invalid_content);
  }
  return 0;
}
