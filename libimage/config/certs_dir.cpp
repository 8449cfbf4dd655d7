#include "libimage/config/certs_dir.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxCertificateBytes = std::uint64_t{1} << 20;

std::set<std::string> names_in(const std::string& directory) {
  std::error_code failure;
  std::set<std::string> names;  // sorted, so that "the first" does not depend on the file system
  for (fs::directory_iterator at(directory, failure), end; !failure && at != end;
       at.increment(failure)) {
    names.insert(at->path().filename().string());
  }
  if (failure) throw_errno(cat("read directory ", lade::quoted(directory)), failure.value());
  return names;
}

std::string with_suffix(const std::string& name, std::string_view suffix) {
  return cat(name.substr(0, name.rfind('.')), suffix);
}

void require(const std::set<std::string>& names, const std::string& name,
             const std::string& partner, const std::string& directory) {
  if (names.contains(partner)) return;
  throw Error(Errc::invalid_content, cat("certificates in ", lade::quoted(directory), ": ",
                                         lade::quoted(name), " without ", lade::quoted(partner)));
}

}  // namespace

RegistryCerts read_certs_dir(const std::string& directory) {
  const std::set<std::string> names = names_in(directory);
  RegistryCerts certs;
  for (const std::string& name : names) {
    const std::string path = cat(directory, "/", name);
    if (name.ends_with(".crt")) {
      certs.ca_pem += cat(read_file(path, kMaxCertificateBytes), "\n");
    } else if (name.ends_with(".key")) {
      require(names, name, with_suffix(name, ".cert"), directory);
    } else if (name.ends_with(".cert")) {
      require(names, name, with_suffix(name, ".key"), directory);
      if (!certs.client_cert_file.empty()) continue;
      certs.client_cert_file = path;
      certs.client_key_file = cat(directory, "/", with_suffix(name, ".key"));
    }
  }
  return certs;
}

RegistryCerts find_registry_certs(const std::vector<std::string>& roots, const std::string& host) {
  if (host.empty() || host.front() == '.' || host.find('/') != std::string::npos) return {};
  for (const std::string& root : roots) {
    const std::string directory = cat(root, "/", host);
    std::error_code ignored;
    if (fs::is_directory(directory, ignored)) return read_certs_dir(directory);
  }
  return {};
}

}  // namespace lade
