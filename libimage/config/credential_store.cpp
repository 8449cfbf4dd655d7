#include "libimage/config/credential_store.h"

#include <cerrno>
#include <filesystem>
#include <functional>
#include <optional>

#include <nlohmann/json.hpp>
#include <sys/file.h>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/config/find_credentials.h"
#include "libimage/io/atomic_file.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;  // what others wrote keeps its order

bool has_path(const std::string& key) { return key.find('/') != std::string::npos; }

/// The key as the store's format spells it.
std::string stored_key(const CredentialStore& store, const std::string& key) {
  if (store.format == CredentialStore::Format::containers) return key;
  if (has_path(key)) {
    throw Error(
        Errc::unsupported,
        cat("credentials cannot be recorded in Docker-compatible format with namespaced key ",
            lade::quoted(key)));
  }
  return key == "docker.io" ? kDockerHubServer : key;
}

std::vector<std::string> helpers_of(const CredentialStore& store) {
  if (store.format == CredentialStore::Format::docker) return {kAuthFilesHelper};
  return store.helpers;
}

/// An auth file that nobody else changes meanwhile.
class LockedFile {
 public:
  explicit LockedFile(const std::string& path) : path_(target_of(path)) {
    const fs::path parent = fs::path(path_).parent_path();
    const std::string directory = parent.empty() ? "." : parent.string();
    (void)create_dir(directory, 0700);
    directory_ = open_dir(directory);
    while (::flock(directory_.get(), LOCK_EX) != 0) {
      if (errno != EINTR) throw_errno(cat("lock ", lade::quoted(directory)));
    }
    try {
      const std::string text = read_file(path_, kMaxAuthFileBytes);
      content_ = AuthFile::parse(text);  // what we cannot read we do not write
      document_ = ordered_json::parse(text);
    } catch (const Error& e) {
      if (e.code() != Errc::not_found) throw e.in(cat("read ", lade::quoted(path_)));
      document_ = ordered_json::object();
    }
  }

  [[nodiscard]] const AuthFile& content() const noexcept { return content_; }
  /// The object `name`, made if there is none.
  ordered_json& member(const char* name) {
    ordered_json& found = document_[name];
    if (found.is_null()) found = ordered_json::object();
    return found;
  }
  void write() {
    const std::string text =
        cat(document_.dump(1, '\t', false, ordered_json::error_handler_t::replace), "\n");
    AtomicFile file(directory_, fs::path(path_).filename(), 0600);
    file.write(bytes_of(text));
    file.commit(AtomicFile::Durability::fsync);
  }

 private:
  /// Where a link leads: the file is replaced, not the link.
  static std::string target_of(const std::string& path) {
    std::error_code failure;
    if (!fs::is_symlink(path, failure)) return path;
    const fs::path target = fs::weakly_canonical(path, failure);
    return failure ? path : target.string();
  }

  std::string path_;
  DirFd directory_;
  AuthFile content_;
  ordered_json document_;
};

/// The helper that keeps what belongs to the host of `key`; "": the file does.
std::string helper_for(const AuthFile& file, const std::string& key) {
  const auto found = file.cred_helpers.find(auth_key(key));
  return found != file.cred_helpers.end() ? found->second : file.creds_store;
}

std::string keep_in_file(const CredentialStore& store, const std::string& key,
                         const AuthEntry& entry) {
  LockedFile file(store.file);
  const std::string helper = has_path(auth_key(key)) ? "" : helper_for(file.content(), key);
  if (!helper.empty()) {
    store_in_credential_helper(helper, key, entry, store.helper);
    return cat("credential helper: ", helper);
  }
  ordered_json value = {{"auth", to_base64(cat(entry.username, ":", entry.password))}};
  if (!entry.identity_token.empty()) value["identitytoken"] = entry.identity_token;
  file.member("auths")[key] = std::move(value);
  file.write();
  return store.file;
}

bool forget_in_helper(const std::string& helper, const std::string& key,
                      const HelperOptions& options) {
  bool found = erase_from_credential_helper(helper, key, options);
  if (auth_key(key) == "docker.io") {  // helpers of other tools know it by its other name
    const std::string other = key == kDockerHubServer ? "docker.io" : kDockerHubServer;
    if (erase_from_credential_helper(helper, other, options)) found = true;
  }
  return found;
}

bool forget_in_file(const CredentialStore& store, const std::string& key) {
  LockedFile file(store.file);
  const std::string meaning = auth_key(key);
  bool found = false;
  if (const std::string helper = has_path(meaning) ? "" : helper_for(file.content(), key);
      !helper.empty()) {
    found = forget_in_helper(helper, key, store.helper);
  }
  ordered_json& auths = file.member("auths");
  std::vector<std::string> doomed;
  for (const auto& [spelled, value] : auths.items()) {
    if (auth_key(spelled) == meaning) doomed.push_back(spelled);
  }
  for (const std::string& spelled : doomed) auths.erase(spelled);
  if (doomed.empty()) return found;
  file.write();
  return true;
}

void forget_all_in_file(const CredentialStore& store) {
  std::error_code ignored;
  if (!fs::exists(store.file, ignored)) return;
  LockedFile file(store.file);
  for (const auto& [host, helper] : file.content().cred_helpers) {
    (void)forget_in_helper(helper, host, store.helper);
  }
  if (const std::string& helper = file.content().creds_store; !helper.empty()) {
    for (const std::string& server : list_credential_helper(helper, store.helper)) {
      (void)erase_from_credential_helper(helper, server, store.helper);
    }
  }
  file.member("auths") = ordered_json::object();
  if (store.format == CredentialStore::Format::containers) {
    file.member("credHelpers") = ordered_json::object();
  }
  file.write();
}

}  // namespace

std::string store_credentials(const CredentialStore& store, const std::string& key,
                              const AuthEntry& entry) {
  const std::string spelled = stored_key(store, key);
  std::optional<Error> failure;
  for (const std::string& helper : helpers_of(store)) {
    try {
      if (helper == kAuthFilesHelper) return keep_in_file(store, spelled, entry);
      if (has_path(key)) {
        throw Error(Errc::unsupported,
                    cat("credential helper ", lade::quoted(helper),
                        " keeps no credentials of repositories like ", lade::quoted(key)));
      }
      store_in_credential_helper(helper, spelled, entry, store.helper);
      return cat("credential helper: ", helper);
    } catch (const Error& e) {
      if (!failure) failure = e;
    }
  }
  if (failure) throw Error(*failure);
  throw Error(Errc::unsupported, "no place for credentials is configured");
}

bool remove_credentials(const CredentialStore& store, const std::string& key) {
  const std::string spelled = stored_key(store, key);
  bool found = false;
  for (const std::string& helper : helpers_of(store)) {
    if (helper == kAuthFilesHelper) {
      std::error_code ignored;
      if (fs::exists(store.file, ignored) && forget_in_file(store, spelled)) found = true;
    } else if (!has_path(key) && forget_in_helper(helper, spelled, store.helper)) {
      found = true;
    }
  }
  return found;
}

void remove_all_credentials(const CredentialStore& store) {
  for (const std::string& helper : helpers_of(store)) {
    if (helper == kAuthFilesHelper) {
      forget_all_in_file(store);
      continue;
    }
    for (const std::string& server : list_credential_helper(helper, store.helper)) {
      (void)erase_from_credential_helper(helper, server, store.helper);
    }
  }
}

}  // namespace lade
