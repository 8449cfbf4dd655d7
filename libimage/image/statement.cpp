#include "libimage/image/statement.h"

#include <algorithm>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/template/value.h"

namespace lade::image {
namespace {

using templates::Value;

/// The member `name`, or no value.
Value at(const Value& value, std::string_view name) {
  const templates::ValueMap* map = value.map();
  if (map == nullptr) return {};
  const auto found = map->entries.find(name);
  return found == map->entries.end() ? Value() : found->second;
}

template <typename... Names>
Value at(const Value& value, std::string_view name, const Names&... names) {
  return at(at(value, name), names...);
}

/// The text, or "" if it is none.
std::string text_of(const Value& value) {
  const std::string* text = value.text();
  return text == nullptr ? std::string() : *text;
}

std::string first_of(std::string a, std::string b) {
  return a.empty() ? std::move(b) : std::move(a);
}

template <typename Visit>
void each(const Value& list, const Visit& visit) {
  if (const templates::ValueList* items = list.list()) {
    for (const Value& item : items->items) visit(item);
  }
}

std::map<std::string, std::string> texts_of(const Value& value) {
  std::map<std::string, std::string> out;
  if (const templates::ValueMap* map = value.map()) {
    for (const auto& [name, item] : map->entries) {
      if (const std::string* text = item.text()) out.emplace(name, *text);
    }
  }
  return out;
}

void add_materials(Provenance& out, const Value& list) {
  each(list, [&](const Value& item) {
    out.materials.push_back(
        {.uri = text_of(at(item, "uri")), .digests = texts_of(at(item, "digest"))});
  });
}

Provenance read_provenance(const Value& predicate) {
  Provenance out;
  const Value definition = at(predicate, "buildDefinition");  // SLSA v1
  const Value details = at(predicate, "runDetails");
  const Value invocation = at(predicate, "invocation");  // v0.2
  const Value source = definition.is_missing()
                           ? at(invocation, "configSource")
                           : at(definition, "externalParameters", "configSource");
  const Value vcs =
      definition.is_missing()
          ? at(predicate, "metadata", "https://mobyproject.org/buildkit@v1#metadata", "vcs")
          : at(details, "metadata", "buildkit_metadata", "vcs");
  out.builder =
      first_of(text_of(at(details, "builder", "id")), text_of(at(predicate, "builder", "id")));
  out.build_type =
      first_of(text_of(at(definition, "buildType")), text_of(at(predicate, "buildType")));
  out.source = first_of(text_of(at(vcs, "source")), text_of(at(source, "uri")));
  out.revision = first_of(text_of(at(vcs, "revision")), text_of(at(source, "digest", "sha1")));
  out.entry = first_of(text_of(at(source, "entryPoint")), text_of(at(source, "path")));
  out.started = first_of(text_of(at(details, "metadata", "startedOn")),
                         text_of(at(predicate, "metadata", "buildStartedOn")));
  out.finished = first_of(text_of(at(details, "metadata", "finishedOn")),
                          text_of(at(predicate, "metadata", "buildFinishedOn")));
  out.arguments =
      texts_of(definition.is_missing() ? at(invocation, "parameters", "args")
                                       : at(definition, "externalParameters", "request", "args"));
  add_materials(out, at(predicate, "materials"));
  add_materials(out, at(definition, "resolvedDependencies"));
  return out;
}

Sbom read_spdx(const Value& document) {
  Sbom out{.format = text_of(at(document, "spdxVersion"))};
  each(at(document, "creationInfo", "creators"), [&](const Value& creator) {
    constexpr std::string_view kTool = "Tool: ";
    const std::string text = text_of(creator);
    if (out.tool.empty() && text.starts_with(kTool)) out.tool = text.substr(kTool.size());
  });
  each(at(document, "packages"), [&](const Value& item) {
    SbomPackage package{.name = text_of(at(item, "name")),
                        .version = text_of(at(item, "versionInfo")),
                        .license = text_of(at(item, "licenseDeclared"))};
    if (package.license == "NOASSERTION" || package.license == "NONE") package.license.clear();
    each(at(item, "externalRefs"), [&](const Value& reference) {
      if (text_of(at(reference, "referenceType")) == "purl") {
        package.purl = text_of(at(reference, "referenceLocator"));
      }
    });
    out.packages.push_back(std::move(package));
  });
  return out;
}

Sbom read_cyclonedx(const Value& document) {
  Sbom out{.format = cat("CycloneDX ", text_of(at(document, "specVersion")))};
  const Value tools = at(document, "metadata", "tools");
  each(tools.list() != nullptr ? tools : at(tools, "components"), [&](const Value& tool) {
    if (out.tool.empty()) out.tool = text_of(at(tool, "name"));
  });
  each(at(document, "components"), [&](const Value& item) {
    out.packages.push_back({.name = text_of(at(item, "name")),
                            .version = text_of(at(item, "version")),
                            .purl = text_of(at(item, "purl"))});
  });
  return out;
}

/// What a DSSE envelope holds, itself or in a sigstore bundle; `document` if it is neither.
Value without_envelope(const Value& document) {
  Value envelope = at(document, "dsseEnvelope");
  if (envelope.is_missing()) envelope = document;
  const std::string payload = text_of(at(envelope, "payload"));
  if (payload.empty()) return document;
  const auto decoded = from_base64(payload);
  if (!decoded) throw Error(Errc::invalid_content, "DSSE envelope: the payload is no base64");
  return templates::from_json(*decoded);
}

/// "debian:12" of "pkg:docker/debian@12?platform=linux%2Famd64"; "" of anything else.
std::string image_of_purl(std::string_view uri) {
  constexpr std::string_view kPrefix = "pkg:docker/";
  if (!uri.starts_with(kPrefix)) return {};
  uri.remove_prefix(kPrefix.size());
  uri = uri.substr(0, uri.find('?'));
  std::string name;
  for (std::size_t i = 0; i < uri.size(); ++i) {
    unsigned char code = 0;
    const char* digits = uri.data() + i + 1;
    if (uri[i] == '%' && i + 2 < uri.size() &&
        std::from_chars(digits, digits + 2, code, 16).ptr == digits + 2) {
      name += static_cast<char>(code);
      i += 2;
    } else {
      name += uri[i];
    }
  }
  const std::size_t at_sign = name.rfind('@');
  if (at_sign != std::string::npos) name[at_sign] = ':';
  return name;
}

}  // namespace

Statement::Kind statement_kind(std::string_view type) noexcept {
  const auto holds = [&](std::string_view word) {
    return type.find(word) != std::string_view::npos;
  };
  if (holds("slsa.dev/provenance")) return Statement::Kind::provenance;
  if (holds("spdx") || holds("cyclonedx")) return Statement::Kind::sbom;
  return Statement::Kind::other;
}

Statement parse_statement(std::string_view text, std::string_view type) {
  const Value document = without_envelope(templates::from_json(text));
  Statement out{.blob = {.digest = sha256_of(text)}, .predicate_type = std::string(type)};
  Value predicate = document;
  if (std::string own = text_of(at(document, "predicateType")); !own.empty()) {
    out.predicate_type = std::move(own);
    predicate = at(document, "predicate");
    // cosign puts documents of others into a member of their own
    if (const Value data = at(predicate, "Data"); !data.is_missing()) predicate = data;
  }
  out.kind = statement_kind(out.predicate_type);
  if (predicate.is_missing()) throw Error(Errc::invalid_content, "the statement has no predicate");
  if (out.kind == Statement::Kind::provenance) out.provenance = read_provenance(predicate);
  if (!at(predicate, "spdxVersion").is_missing()) {
    out.kind = Statement::Kind::sbom;
    out.sbom = read_spdx(predicate);
  } else if (text_of(at(predicate, "bomFormat")) == "CycloneDX") {
    out.kind = Statement::Kind::sbom;
    out.sbom = read_cyclonedx(predicate);
  }
  out.predicate = templates::to_json(predicate);
  return out;
}

std::optional<BaseImage> base_of(const Provenance& provenance) {
  std::optional<BaseImage> base;
  for (const Material& material : provenance.materials) {
    std::string name = image_of_purl(material.uri);
    // The frontend and the SBOM scanner are images too, and no bases.
    if (name.empty() || name.starts_with("docker/")) continue;
    if (base) return std::nullopt;
    base.emplace().name = std::move(name);
    base->source = BaseImage::Source::provenance;
    const auto digest = material.digests.find("sha256");
    if (digest != material.digests.end()) {
      base->digest = Digest::try_parse(cat("sha256:", digest->second));
    }
  }
  return base;
}

}  // namespace lade::image
