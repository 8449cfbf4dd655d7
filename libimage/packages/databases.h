/// The readers of package databases: pure functions from text or bytes to packages. Hostile input
/// is refused with Error{invalid_content} or Error{limit_exceeded}.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/packages/package.h"
#include "libimage/packages/tree.h"

namespace lade::packages {

/// More packages than any system has; each reader stops there with Error{limit_exceeded}.
inline constexpr std::size_t kMaxPackages = 100'000;
/// A text of a package's record that is longer is not taken over.
inline constexpr std::size_t kMaxFieldBytes = 4096;

/// os-release(5).
Distribution parse_os_release(std::string_view text);

/// /var/lib/dpkg/status, or a file of /var/lib/dpkg/status.d: the packages that are installed
/// (deb-control paragraphs; others, as config files that were left, are passed over).
std::vector<Package> parse_dpkg_status(std::string_view text);

/// /lib/apk/db/installed.
std::vector<Package> parse_apk_installed(std::string_view text);

/// The header of one package as the RPM database stores it (without lead and magic). nullopt for
/// what is no package: the public keys that rpm keeps there.
std::optional<Package> parse_rpm_header(std::string_view blob);

/// rpmdb.sqlite.
std::vector<Package> read_rpm_database(File& database);

/// package.json of an installed package; nullopt where it names none.
std::optional<Package> parse_package_json(std::string_view json);

/// package-lock.json, versions 1 to 3: what it installs.
std::vector<Package> parse_package_lock(std::string_view json);

/// METADATA of a dist-info directory, or PKG-INFO; nullopt where it names no package.
std::optional<Package> parse_python_metadata(std::string_view text);

/// The modules and the toolchain that a Go program (ELF) says it was built from; empty for any
/// other file. Programs of Go 1.17 and older keep this in another form: Error{unsupported}.
std::vector<Package> read_go_binary(File& program);

}  // namespace lade::packages
