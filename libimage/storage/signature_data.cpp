#include "libimage/storage/signature_data.h"

#include <numeric>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/json_reader.h"
#include "libimage/oci/json_writer.h"

namespace lade {
namespace {

namespace json = oci::json;

constexpr std::uint64_t kMaxMetadataBytes = std::uint64_t{1} << 20U;
constexpr std::size_t kMaxSignatures = 1000;
constexpr std::string_view kOfImage = "signature-sizes";
constexpr std::string_view kOfManifests = "signatures-sizes";

/// The metadata's members; the value must outlive what is found in it.
json::Object members_of(const std::string& metadata) {
  if (metadata.empty()) return {};
  json::Value value = json::parse(metadata, kMaxMetadataBytes);
  auto* members = value.as<json::Object>();
  if (members == nullptr) json::fail("metadata", "is not an object");
  return std::move(*members);
}

json::Value* find(json::Object& members, std::string_view name) {
  for (auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::vector<std::uint64_t> sizes_of(json::Value* value) {
  std::vector<std::uint64_t> sizes;
  if (value == nullptr || value->is_null()) return sizes;
  const std::string path = "metadata.signatures";
  for (json::Value& item : json::array_of(*value, path, kMaxSignatures))
    sizes.push_back(static_cast<std::uint64_t>(json::integer_of(item, path, 0)));
  return sizes;
}

json::Value list_of(const std::vector<std::string>& signatures) {
  json::Array sizes;
  for (const std::string& signature : signatures)
    sizes.push_back({.content = json::Number{cat(signature.size())}});
  return {.content = std::move(sizes)};
}

void set(json::Object& members, std::string_view name, json::Value value) {
  if (json::Value* const found = find(members, name)) {
    *found = std::move(value);
  } else {
    members.emplace_back(name, std::move(value));
  }
}

std::string metadata_with_signatures(const ImageRecord& record, const Digest& digest,
                                     const std::vector<std::string>& signatures) {
  json::Object members = members_of(record.metadata);
  json::Object by_digest;
  if (json::Value* const manifests = find(members, kOfManifests)) {
    if (auto* const known = manifests->as<json::Object>()) by_digest = std::move(*known);
  }
  set(by_digest, digest.str(), list_of(signatures));
  set(members, kOfManifests, {.content = std::move(by_digest)});
  set(members, kOfImage, list_of(signatures));
  std::string text;
  json::append_compact(text, {.content = std::move(members)});
  return text;
}

}  // namespace

std::string signature_key(const Digest& digest) { return cat("signature-", digest.encoded()); }

SignatureData signatures_in(const ImageRecord& record, const Digest& digest) {
  return with_context([&] { return cat("image ", record.id, ": signatures"); },
                      [&]() -> SignatureData {
                        json::Object members = members_of(record.metadata);
                        json::Value* const manifests = find(members, kOfManifests);
                        auto* const by_digest =
                            manifests == nullptr ? nullptr : manifests->as<json::Object>();
                        if (by_digest != nullptr) {
                          SignatureData data{.key = signature_key(digest),
                                             .sizes = sizes_of(find(*by_digest, digest.str()))};
                          if (!data.sizes.empty()) return data;
                        }
                        const auto own = record.data_digests.find(std::string(kManifestKey));
                        if (own == record.data_digests.end() || own->second != digest.str())
                          return {};
                        SignatureData data{.key = std::string(kSignatureKey),
                                           .sizes = sizes_of(find(members, kOfImage))};
                        if (data.sizes.empty()) data.key.clear();
                        return data;
                      });
}

std::vector<std::string> cut_signatures(std::string_view text, const SignatureData& data) {
  std::vector<std::string> signatures;
  for (const std::uint64_t size : data.sizes) {
    if (size > text.size()) throw Error(Errc::invalid_content, "the signatures are cut short");
    signatures.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  if (!text.empty()) throw Error(Errc::invalid_content, "there are more signatures than sizes");
  return signatures;
}

void add_signatures(ImageRecord& record, const Digest& digest,
                    const std::vector<std::string>& signatures, const AddData& add) {
  std::string text;
  for (const std::string& signature : signatures) text += signature;
  for (const std::string& key : {signature_key(digest), std::string(kSignatureKey)})
    add(key, text, sha256_of(text));
  record.metadata = metadata_with_signatures(record, digest, signatures);
}

}  // namespace lade
