#include "libimage/build/attestation.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "libimage/base/base64.h"
#include "libimage/base/text.h"
#include "libimage/build/package_tree.h"
#include "libimage/build/source_text.h"
#include "libimage/name/reference.h"
#include "libimage/packages/find_packages.h"
#include "libimage/packages/spdx.h"

namespace lade::build {
namespace {

using nlohmann::ordered_json;

std::string text_of(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json digest_set(const Digest& digest) {
  return {{std::string(digest.algorithm()), std::string(digest.encoded())}};
}

ordered_json ids(const std::vector<std::string>& names) {
  ordered_json out = ordered_json::array();
  for (const std::string& name : names) out.push_back({{"id", name}});
  return out;
}

ordered_json request_of(const ProvenanceFacts& facts) {
  ordered_json args = ordered_json::object();
  if (facts.options.mode == ProvenanceOptions::Mode::max) {
    for (const auto& [name, value] : facts.build_args) args[cat("build-arg:", name)] = value;
    for (const auto& [name, value] : facts.labels) args[cat("label:", name)] = value;
  }
  if (!facts.target.empty()) args["target"] = facts.target;
  ordered_json request = {{"frontend", "dockerfile.v0"}};
  if (!args.empty()) request["args"] = std::move(args);
  if (facts.options.mode == ProvenanceOptions::Mode::max) {
    if (!facts.secrets.empty()) request["secrets"] = ids(facts.secrets);
    if (!facts.agents.empty()) request["ssh"] = ids(facts.agents);
  }
  ordered_json locals = ordered_json::array();
  if (facts.context) locals.push_back({{"name", "context"}});
  locals.push_back({{"name", "dockerfile"}});
  request["locals"] = std::move(locals);
  return request;
}

/// BuildKit's own members: whether the sources are all listed, and with mode=max the Containerfile.
ordered_json metadata_of(const ProvenanceFacts& facts) {
  ordered_json metadata = {
      {"startedOn", facts.started},
      {"finishedOn", facts.finished},
      {"buildkit_completeness", {{"request", true}, {"resolvedDependencies", facts.hermetic}}},
      {"buildkit_reproducible", facts.options.reproducible},
      {"buildkit_hermetic", facts.hermetic}};
  if (facts.options.mode == ProvenanceOptions::Mode::max) {
    metadata["buildkit_metadata"] = {
        {"source",
         {{"infos", ordered_json::array({{{"filename", facts.file},
                                          {"language", "Dockerfile"},
                                          {"data", to_base64(hide_credentials(facts.text))}}})}}}};
  }
  return metadata;
}

}  // namespace

std::string image_url(const std::string& name, const oci::Platform& platform) {
  std::optional<Reference> reference = Reference::try_parse(name);
  if (!reference) return name;
  std::string path = cat(reference->registry, "/", reference->repository);
  for (const std::string_view familiar : {"docker.io/library/", "docker.io/"}) {
    if (path.starts_with(familiar)) {
      path.erase(0, familiar.size());
      break;
    }
  }
  std::string out = "pkg:docker/";
  for (const char c : path) c == ':' ? out += "%3A" : out += c;
  if (reference->tag) out += cat("@", reference->tag->value);
  std::string qualifiers = "?";
  if (reference->digest)
    qualifiers +=
        cat("digest=", reference->digest->algorithm(), ":", reference->digest->encoded(), "&");
  qualifiers += cat("platform=", platform.os, "%2F", platform.architecture);
  if (!platform.variant.empty()) qualifiers += cat("%2F", platform.variant);
  return out + qualifiers;
}

Attestation provenance(const ProvenanceFacts& facts) {
  ordered_json dependencies = ordered_json::array();
  for (const Material& material : facts.materials)
    dependencies.push_back({{"uri", material.uri}, {"digest", digest_set(material.digest)}});
  const ordered_json predicate = {
      {"buildDefinition",
       {{"buildType",
         "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md"},
        {"externalParameters",
         {{"configSource", {{"path", facts.file}}}, {"request", request_of(facts)}}},
        {"internalParameters", {{"builderPlatform", oci::to_string(facts.builder)}}},
        {"resolvedDependencies", std::move(dependencies)}}},
      {"runDetails",
       {{"builder", {{"id", facts.options.builder_id}}}, {"metadata", metadata_of(facts)}}}};
  return {.predicate_type = kProvenanceType,
          .predicate = text_of(predicate),
          .file_name = facts.options.file_name};
}

Attestation sbom(const RootFs& root, const std::string& name, const std::string& created,
                 const std::stop_token& stop) {
  PackageTree tree(root);
  const packages::Inventory found = packages::find_packages(tree, {}, stop);
  return {.predicate_type = kSpdxType,
          .predicate = packages::spdx_document(found, {.name = name, .created = created}),
          .file_name = "sbom.spdx.json"};
}

std::string statement(const Attestation& attestation, const std::vector<std::string>& names,
                      const Digest& subject) {
  ordered_json subjects = ordered_json::array();
  const auto add = [&](const std::string& name) {
    subjects.push_back({{"name", name}, {"digest", digest_set(subject)}});
  };
  for (const std::string& name : names) add(name);
  if (names.empty()) add("_");
  return text_of({{"_type", "https://in-toto.io/Statement/v0.1"},
                  {"predicateType", attestation.predicate_type},
                  {"subject", std::move(subjects)},
                  {"predicate", ordered_json::parse(attestation.predicate)}});
}

}  // namespace lade::build
