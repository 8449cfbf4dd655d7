#include "libimage/config/policy.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include <nlohmann/json.hpp>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/name/reference.h"

namespace lade {
namespace {

using nlohmann::json;
using Kind = PolicyRequirement::Kind;
using Names = std::vector<std::string_view>;

constexpr int kMaxDepth = 16;  // an honest policy has 7 levels

[[noreturn]] void refuse(const std::string& message) {
  throw Error(Errc::invalid_content, message);
}

std::string in_quotes(std::string_view text) { return cat("\"", printable(text), "\""); }

/// Parses, refusing members that are given twice: which one counts is nobody's guess.
json parse_strictly(std::string_view text) {
  std::vector<std::set<std::string>> open;
  const json::parser_callback_t check = [&](int depth, json::parse_event_t event, json& value) {
    if (depth > kMaxDepth) refuse("the document is nested too deeply");
    if (event == json::parse_event_t::object_start) open.emplace_back();
    if (event == json::parse_event_t::object_end) open.pop_back();
    if (event == json::parse_event_t::key && !open.back().insert(value.get<std::string>()).second) {
      refuse(cat("Duplicate key ", in_quotes(value.get<std::string>())));
    }
    return true;
  };
  try {
    return json::parse(text, check);
  } catch (const json::exception&) {
    refuse("it is not JSON");
  }
}

const json& object_of(const json& value, std::string_view what) {
  if (!value.is_object()) refuse(cat(what, " is not an object"));
  return value;
}

void check_members(const json& object, const Names& known) {
  for (const auto& [name, value] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      refuse(cat("Unknown key ", in_quotes(name)));
  }
}

std::string text_member(const json& object, const std::string& name) {
  const auto found = object.find(name);
  if (found == object.end()) refuse(cat("Key ", in_quotes(name), " is missing"));
  if (!found->is_string()) refuse(cat("Key ", in_quotes(name), " is not a string"));
  return found->get<std::string>();
}

/// Exactly one of `names` must be there: a text, or a list of them where the name ends in 's'.
void check_one_of(const json& object, const Names& names) {
  std::size_t count = 0;
  for (const std::string_view name : names) {
    const auto found = object.find(std::string(name));
    if (found == object.end()) continue;
    ++count;
    if (name.ends_with('s')) {
      const bool texts = found->is_array() && !found->empty() &&
                         std::all_of(found->begin(), found->end(),
                                     [](const json& item) { return item.is_string(); });
      if (!texts) refuse(cat("Key ", in_quotes(name), " is no list of strings"));
    } else if (!found->is_string()) {
      refuse(cat("Key ", in_quotes(name), " is not a string"));
    }
  }
  std::string all;
  for (const std::string_view name : names) all += cat(all.empty() ? "" : ", ", name);
  if (count == 0) refuse(cat("one of ", all, " must be specified"));
  if (count > 1) refuse(cat("only one of ", all, " can be specified"));
}

void check_identity(const json& requirement, const std::string& member) {
  const auto found = requirement.find(member);
  if (found == requirement.end()) return;
  const json& identity = object_of(*found, member);
  const std::string type = text_member(identity, "type");
  Names known = {"type"};
  if (type == "exactReference") {
    known.push_back("dockerReference");
  } else if (type == "exactRepository") {
    known.push_back("dockerRepository");
  } else if (type == "remapIdentity") {
    known = {"type", "prefix", "signedPrefix"};
  } else if (type != "matchExact" && type != "matchRepoDigestOrExact" &&
             type != "matchRepository") {
    refuse(cat("Unknown policy reference match type ", in_quotes(type)));
  }
  check_members(identity, known);
  for (const std::string_view name : known) (void)text_member(identity, std::string(name));
}

void check_signed_by(const json& requirement) {
  check_members(requirement,
                {"type", "keyType", "keyPath", "keyPaths", "keyData", "signedIdentity"});
  const std::string type = text_member(requirement, "keyType");
  const std::array<std::string_view, 4> known = {"GPGKeys", "signedByGPGKeys", "X509Certificates",
                                                 "signedByX509CAs"};
  if (std::find(known.begin(), known.end(), type) == known.end())
    refuse(cat("invalid keyType ", in_quotes(type)));
  check_one_of(requirement, {"keyPath", "keyPaths", "keyData"});
  check_identity(requirement, "signedIdentity");
}

void check_sigstore(const json& requirement) {
  check_members(requirement, {"type", "keyPath", "keyPaths", "keyData", "keyDatas", "fulcio", "pki",
                              "rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData",
                              "rekorPublicKeyDatas", "signedIdentity"});
  const bool certificates = requirement.contains("fulcio") || requirement.contains("pki");
  if (!certificates) {
    check_one_of(requirement, {"keyPath", "keyPaths", "keyData", "keyDatas"});
  } else {
    for (const char* name : {"fulcio", "pki"}) {
      if (requirement.contains(name)) (void)object_of(requirement[name], name);
    }
  }
  check_identity(requirement, "signedIdentity");
}

PolicyRequirement requirement_of(const json& value) {
  const json& object = object_of(value, "a policy requirement");
  const std::string type = text_member(object, "type");
  if (type == "insecureAcceptAnything" || type == "reject") {
    check_members(object, {"type"});
    return {type == "reject" ? Kind::reject : Kind::accept_anything};
  }
  if (type == "signedBy") {
    check_signed_by(object);
    return {Kind::signed_by};
  }
  if (type == "sigstoreSigned") {
    check_sigstore(object);
    return {Kind::sigstore_signed};
  }
  if (type == "signedBaseLayer") {
    check_members(object, {"type", "baseLayerIdentity"});
    if (!object.contains("baseLayerIdentity")) refuse("baseLayerIdentity not specified");
    check_identity(object, "baseLayerIdentity");
    return {Kind::signed_base_layer};
  }
  refuse(cat("Unknown policy requirement type ", in_quotes(type)));
}

Policy::Requirements requirements_of(const json& value) {
  if (!value.is_array()) refuse("a list of policy requirements is not an array");
  if (value.empty()) refuse("List of verification policy requirements must not be empty");
  Policy::Requirements requirements;
  for (const json& item : value) requirements.push_back(requirement_of(item));
  return requirements;
}

// ---- scopes ----

/// "host/ns/repo", "host/ns", "host", then "*.sub.domain", "*.domain".
void append_repository_scopes(std::string repository, std::vector<std::string>& scopes) {
  const std::string host = repository.substr(0, repository.find('/'));
  for (;;) {
    scopes.push_back(repository);
    const std::size_t slash = repository.rfind('/');
    if (slash == std::string::npos) break;
    repository.erase(slash);
  }
  std::string rest = host;
  for (std::size_t dot = rest.find('.'); dot != std::string::npos; dot = rest.find('.')) {
    rest.erase(0, dot + 1);
    scopes.push_back(cat("*.", rest));
  }
}

std::vector<std::string> reference_scopes(std::string_view text) {
  const auto reference = Reference::try_parse(text);
  if (!reference) return {};
  std::vector<std::string> scopes;
  const std::string repository = cat(reference->registry, "/", reference->repository);
  if (reference->digest) {
    scopes.push_back(cat(repository, "@", reference->digest->str()));
  } else {
    scopes.push_back(cat(repository, ":", reference->tag ? reference->tag->value : "latest"));
  }
  append_repository_scopes(repository, scopes);
  return scopes;
}

/// The path without symbolic links, and its parents; the root is none of them.
std::vector<std::string> path_scopes(const std::string& path) {
  std::error_code failed;
  std::filesystem::path at = std::filesystem::weakly_canonical(path, failed);
  if (failed) at = std::filesystem::absolute(path, failed).lexically_normal();
  std::vector<std::string> scopes;
  for (; at.has_relative_path(); at = at.parent_path()) scopes.push_back(at.string());
  return scopes;
}

bool demands_signature(const PolicyRequirement& requirement) {
  return requirement.kind != Kind::accept_anything && requirement.kind != Kind::reject;
}

}  // namespace

std::string_view name_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::accept_anything:
      return "insecureAcceptAnything";
    case Kind::reject:
      return "reject";
    case Kind::signed_by:
      return "signedBy";
    case Kind::sigstore_signed:
      return "sigstoreSigned";
    case Kind::signed_base_layer:
      return "signedBaseLayer";
  }
  return {};
}

Policy Policy::parse(std::string_view text) {
  if (text.size() > kMaxPolicyBytes) {
    throw Error(Errc::limit_exceeded,
                cat("policy of ", text.size(), " bytes; the limit is ", kMaxPolicyBytes));
  }
  const json document = parse_strictly(text);
  object_of(document, "the policy");
  check_members(document, {"default", "transports"});
  Policy policy;
  if (!document.contains("default")) refuse("Default policy is missing");
  policy.fallback = requirements_of(document["default"]);
  if (!document.contains("transports")) return policy;
  for (const auto& [transport, scopes] : object_of(document["transports"], "transports").items()) {
    auto& known = policy.transports[transport];
    for (const auto& [scope, requirements] :
         object_of(scopes, cat("transport ", in_quotes(transport))).items()) {
      known[scope] = requirements_of(requirements);
    }
  }
  return policy;
}

Policy Policy::read(const std::string& path) {
  const std::string text = read_file(path, kMaxPolicyBytes);
  return with_context([&] { return cat("invalid policy in ", in_quotes(path)); },
                      [&] { return parse(text); });
}

std::optional<Policy> Policy::read_first(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    std::error_code failed;
    if (std::filesystem::exists(path, failed) || failed) return read(path);
  }
  return std::nullopt;
}

std::vector<std::string> policy_scopes(const ImageName& name) {
  if (name.transport == "docker") return reference_scopes(name.rest);
  if (name.transport == "docker-daemon")
    return name.rest.starts_with("sha256:") ? std::vector<std::string>{}
                                            : reference_scopes(name.rest);
  if (name.transport == "dir") return path_scopes(name.rest);
  if (name.transport == "oci" || name.transport == "oci-archive")
    return path_scopes(name.rest.substr(0, name.rest.find(':')));
  return {};
}

const Policy::Requirements& requirements_for(const Policy& policy, const ImageName& name) {
  const auto transport = policy.transports.find(name.transport);
  if (transport == policy.transports.end()) return policy.fallback;
  std::vector<std::string> scopes = policy_scopes(name);
  scopes.emplace_back();
  for (const std::string& scope : scopes) {
    const auto found = transport->second.find(scope);
    if (found != transport->second.end()) return found->second;
  }
  return policy.fallback;
}

namespace {

void check_requirements(const Policy::Requirements& requirements, std::string_view shown) {
  for (const PolicyRequirement& requirement : requirements) {
    if (requirement.kind == Kind::reject) {
      throw Error(Errc::denied, cat("Running image ", shown, " is rejected by policy."));
    }
  }
  for (const PolicyRequirement& requirement : requirements) {
    if (demands_signature(requirement)) {
      throw Error(Errc::unsupported,
                  cat("the policy demands a signature of image ", shown, " (",
                      name_of(requirement.kind), "), and signatures cannot be verified yet"));
    }
  }
}

}  // namespace

void check_policy(const Policy& policy, const ImageName& name, std::string_view shown) {
  check_requirements(requirements_for(policy, name), shown);
  // Scopes of containers-storage: name drivers and roots that the name does not tell: all count.
  const auto storage = policy.transports.find("containers-storage");
  if (name.transport != "containers-storage" || storage == policy.transports.end()) return;
  for (const auto& [scope, requirements] : storage->second) check_requirements(requirements, shown);
}

}  // namespace lade
