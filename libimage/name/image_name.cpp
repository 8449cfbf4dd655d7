#include "libimage/name/image_name.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/digest.h"
#include "libimage/name/reference.h"

namespace lade {
namespace {

constexpr std::string_view kDocker = "docker";

bool is_known(std::string_view transport, const std::vector<std::string>& known) {
  return std::find(known.begin(), known.end(), transport) != known.end();
}

/// What the user may have meant by a name without a known transport.
std::string hint(std::string_view text) {
  if (text.starts_with('/') || text.starts_with("./") || text.starts_with("../")) {
    return cat("use ", quoted(cat("oci:", text)), " for a layout in a directory");
  }
  if (Reference::try_parse(text)) {
    return cat("use ", quoted(cat("docker://", text)),
               " for a registry or 'oci:DIR:TAG' for a layout");
  }
  return "use 'docker://NAME' for a registry or 'oci:DIR:TAG' for a layout";
}

[[noreturn]] void fail(std::string_view text, std::string_view rule) {
  throw Error(Errc::invalid_argument,
              cat("invalid image name ", quoted(text.substr(0, 400)), ": ", rule));
}

}  // namespace

ImageName ImageName::parse(std::string_view text, const std::vector<std::string>& known) {
  if (text.empty()) fail(text, "it is empty");
  const std::size_t colon = text.find(':');
  const std::string_view transport =
      colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
  if (!is_known(transport, known)) {
    const auto near = transport.empty() ? std::nullopt : nearest(transport, known);
    const bool is_url = text.substr(0, text.find("//")).ends_with(':');
    if (near) {
      const std::string meant =
          cat("unknown transport ", quoted(transport), ", did you mean ", quoted(*near), "?");
      fail(text, is_url ? meant : cat(meant, " If it is a repository, ", hint(text)));
    }
    if (is_url) fail(text, cat("unknown transport ", quoted(transport)));
    fail(text, cat("no transport before it: ", hint(text)));
  }
  std::string_view rest = text.substr(colon + 1);
  if (transport == kDocker) {
    if (!rest.starts_with("//")) fail(text, cat("use ", quoted(cat("docker://", rest))));
    rest.remove_prefix(2);
  }
  // A store without an image's name has names to list.
  if (rest.empty() && transport != "containers-storage")
    fail(text, "nothing follows the transport");
  return {std::string(transport), std::string(rest)};
}

std::string ImageName::str() const {
  return cat(transport, transport == kDocker ? "://" : ":", rest);
}

PathAndReference split_path_reference(std::string_view rest) {
  PathAndReference out;
  const auto invalid = [&](std::string_view rule) {
    return Error(Errc::invalid_argument,
                 cat("invalid name ", quoted(rest.substr(0, 400)), ": ", rule));
  };
  const std::size_t at = rest.rfind('@');
  const auto digest =
      at == std::string_view::npos ? std::nullopt : Digest::try_parse(rest.substr(at + 1));
  if (digest && digest->verifiable() && rest.substr(0, at).find(':') == std::string_view::npos) {
    out.path = rest.substr(0, at);
    out.reference = rest.substr(at + 1);
  } else {
    const std::size_t colon = rest.find(':');
    out.path = rest.substr(0, colon);
    if (colon != std::string_view::npos) out.reference = rest.substr(colon + 1);
  }
  if (out.path.empty()) throw invalid("the path is empty");
  if (out.path.find('\0') != std::string::npos) throw invalid("a path has no byte 0");
  if (out.reference.starts_with('@')) {
    out.at = parse_decimal(std::string_view(out.reference).substr(1));
    if (!out.at) throw invalid("'@' and the image's number, counted from 0");
    out.reference.clear();
  }
  return out;
}

}  // namespace lade
