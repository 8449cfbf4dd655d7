#include <filesystem>
#include <map>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/config/registries_conf.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "registries.conf";
constexpr std::size_t kMaxDropIns = 1000;

bool exists(const std::string& path) {
  std::error_code failure;
  const bool there = fs::exists(path, failure);
  if (failure) throw_errno(cat("look for ", lade::quoted(path)), failure.value());
  return there;
}

void require(const std::string& path) {
  if (exists(path)) return;
  throw Error(Errc::not_found,
              cat("registries.conf ", lade::quoted(path), ": no such file or directory"));
}

/// The directories of drop-ins, the most important last.
std::vector<std::string> drop_in_directories(const RegistriesConfPaths& paths) {
  std::vector<std::string> out;
  const auto& system = paths.system_directories;
  for (auto directory = system.rbegin(); directory != system.rend(); ++directory) {
    const std::string main = cat(*directory, "/registries");
    out.push_back(cat(main, ".conf.d"));
    if (paths.user == 0) {
      out.push_back(cat(main, ".rootful.conf.d"));
    } else {
      out.push_back(cat(main, ".rootless.conf.d"));
      out.push_back(cat(main, ".rootless.conf.d/", paths.user));
    }
  }
  if (!paths.user_directory.empty()) out.push_back(cat(paths.user_directory, "/", kName, ".d"));
  return out;
}

/// By file name, the most important of each.
std::map<std::string, std::string> drop_ins(const RegistriesConfPaths& paths) {
  std::map<std::string, std::string> found;
  for (const std::string& directory : drop_in_directories(paths)) {
    std::error_code failure;
    for (fs::directory_iterator at(directory, failure), end; !failure && at != end;
         at.increment(failure)) {
      std::error_code ignored;  // a link to nowhere is no file
      if (at->path().extension() != ".conf" || !at->is_regular_file(ignored)) continue;
      found[at->path().filename().string()] = at->path().string();
      if (found.size() > kMaxDropIns) {
        throw Error(Errc::limit_exceeded,
                    cat("more than ", kMaxDropIns, " files in directories like ", directory));
      }
    }
    const bool absent =
        failure == std::errc::no_such_file_or_directory || failure == std::errc::not_a_directory;
    if (failure && !absent)
      throw_errno(cat("read directory ", lade::quoted(directory)), failure.value());
  }
  return found;
}

std::optional<std::string> main_file(const RegistriesConfPaths& paths) {
  if (!paths.main_file.empty()) {
    require(paths.main_file);
    return paths.main_file;
  }
  std::vector<std::string> directories;
  if (!paths.user_directory.empty()) directories.push_back(paths.user_directory);
  directories.insert(directories.end(), paths.system_directories.begin(),
                     paths.system_directories.end());
  for (const std::string& directory : directories) {
    std::string path = cat(directory, "/", kName);
    if (exists(path)) return path;
  }
  return std::nullopt;
}

RegistriesConf read_conf(const std::string& path) {
  return RegistriesConf::parse(read_file(path, kMaxRegistriesConfBytes), path);
}

}  // namespace

std::vector<std::string> registries_conf_files(const RegistriesConfPaths& paths) {
  std::vector<std::string> files;
  if (paths.main_file.empty() && !paths.only_file.empty()) {
    require(paths.only_file);
    files.push_back(paths.only_file);
  } else {
    if (auto main = main_file(paths)) files.push_back(*std::move(main));
    for (auto& [name, path] : drop_ins(paths)) files.push_back(std::move(path));
  }
  if (!paths.override_file.empty()) {
    require(paths.override_file);
    files.push_back(paths.override_file);
  }
  return files;
}

RegistriesConf load_registries_conf(const RegistriesConfPaths& paths) {
  RegistriesConf conf;
  for (const std::string& file : registries_conf_files(paths)) conf.merge(read_conf(file));
  if (!paths.aliases_file.empty() && exists(paths.aliases_file)) {
    RegistriesConf recorded;
    recorded.aliases = read_conf(paths.aliases_file).aliases;
    conf.merge(std::move(recorded));
  }
  return conf;
}

}  // namespace lade
