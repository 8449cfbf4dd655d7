#include "libimage/oci/cache_document.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/json_reader.h"
#include "libimage/oci/json_value.h"
#include "libimage/oci/json_writer.h"

namespace lade::oci {
namespace {

using json::ObjectReader;
using json::Value;

/// An array; an absent or null one is empty.
template <typename T, typename ParseItem>
std::vector<T> items_of(Value* value, const std::string& path, std::size_t limit,
                        const ParseItem& parse_item) {
  std::vector<T> out;
  if (value == nullptr || value->is_null()) return out;
  json::Array& items = json::array_of(*value, path, limit);
  out.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i)
    out.push_back(parse_item(items[i], json::element(path, i)));
  return out;
}

Digest parse_digest(ObjectReader& object, std::string_view name) {
  const std::string path = object.path_of(name);
  const std::string text = json::checked_string(object.take_required(name), path);
  const auto digest = Digest::try_parse(text);
  if (!digest) json::fail(path, cat(quoted(text), " is not a digest"));
  return *digest;
}

/// BuildKit leaves out a 0.
std::size_t parse_position(ObjectReader& object, std::string_view name) {
  Value* value = object.take_set(name);
  if (value == nullptr) return 0;
  return static_cast<std::size_t>(json::integer_of(*value, object.path_of(name), 0));
}

CacheLayer parse_layer(Value& value, const std::string& path) {
  ObjectReader object(value, path);
  CacheLayer layer{.blob = parse_digest(object, "blob")};
  const std::int64_t parent = object.integer("parent");
  if (parent < -1) json::fail(object.path_of("parent"), "is less than -1");
  if (parent >= 0) layer.parent = static_cast<std::size_t>(parent);
  layer.unknown = object.rest({});
  return layer;
}

CacheResult parse_result(Value& value, const std::string& path) {
  ObjectReader object(value, path);
  CacheResult result{.layer = parse_position(object, "layer"),
                     .created_at = object.string("createdAt")};
  result.unknown = object.rest({});
  return result;
}

CacheChain parse_chain(Value& value, const std::string& path) {
  ObjectReader object(value, path);
  CacheChain chain{.layers = items_of<std::size_t>(
                       object.take("layers"), object.path_of("layers"), kMaxCacheLayers,
                       [](Value& item, const std::string& at) {
                         return static_cast<std::size_t>(json::integer_of(item, at, 0));
                       }),
                   .created_at = object.string("createdAt")};
  chain.unknown = object.rest({});
  return chain;
}

CacheInput parse_input(Value& value, const std::string& path) {
  ObjectReader object(value, path);
  CacheInput input{.link = parse_position(object, "link"), .selector = object.string("selector")};
  input.unknown = object.rest({});
  return input;
}

CacheRecord parse_record(Value& value, const std::string& path) {
  ObjectReader object(value, path);
  CacheRecord record{.digest = parse_digest(object, "digest")};
  record.inputs = items_of<std::vector<CacheInput>>(
      object.take("inputs"), object.path_of("inputs"), kMaxCacheRecords,
      [](Value& item, const std::string& at) {
        return items_of<CacheInput>(&item, at, kMaxCacheRecords, parse_input);
      });
  record.results = items_of<CacheResult>(object.take("layers"), object.path_of("layers"),
                                         kMaxCacheLayers, parse_result);
  record.chains = items_of<CacheChain>(object.take("chains"), object.path_of("chains"),
                                       kMaxCacheLayers, parse_chain);
  record.unknown = object.rest({});
  return record;
}

void check_parents(const std::vector<CacheLayer>& layers) {
  // Each layer is followed down to one that is known to end: every layer is passed once.
  std::vector<bool> ends(layers.size(), false);
  for (std::size_t start = 0; start < layers.size(); ++start) {
    std::vector<std::size_t> path;
    std::optional<std::size_t> at = start;
    while (at && !ends[*at]) {
      if (path.size() > layers.size())
        throw Error(Errc::invalid_content, cat("layers[", start, "]: its parents form a cycle"));
      path.push_back(*at);
      at = layers[*at].parent;
      if (at && *at >= layers.size())
        throw Error(Errc::invalid_content,
                    cat("layers[", path.back(), "].parent: there is no layer ", *at));
    }
    for (const std::size_t passed : path) ends[passed] = true;
  }
}

void check_links(const std::vector<CacheRecord>& records) {
  // A record without open inputs is done, which may be the last open input of others.
  std::vector<std::size_t> open(records.size(), 0);
  std::vector<std::vector<std::size_t>> users(records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    for (const auto& alternatives : records[i].inputs) {
      for (const CacheInput& input : alternatives) {
        if (input.link >= records.size())
          throw Error(Errc::invalid_content,
                      cat("records[", i, "].inputs: there is no record ", input.link));
        users[input.link].push_back(i);
        ++open[i];
      }
    }
  }
  std::vector<std::size_t> done;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (open[i] == 0) done.push_back(i);
  }
  for (std::size_t next = 0; next < done.size(); ++next) {
    for (const std::size_t user : users[done[next]]) {
      if (--open[user] == 0) done.push_back(user);
    }
  }
  if (done.size() < records.size())
    throw Error(Errc::invalid_content, "records: their inputs form a cycle");
}

void check_results(const std::vector<CacheRecord>& records, std::size_t layers) {
  const auto check = [&](std::size_t record, std::size_t layer) {
    if (layer >= layers)
      throw Error(Errc::invalid_content,
                  cat("records[", record, "].layers: there is no layer ", layer));
  };
  for (std::size_t i = 0; i < records.size(); ++i) {
    for (const CacheResult& result : records[i].results) check(i, result.layer);
    for (const CacheChain& chain : records[i].chains) {
      for (const std::size_t layer : chain.layers) check(i, layer);
    }
  }
}

void write_created(json::ObjectWriter& out, const std::string& created_at) {
  out.string_if("createdAt", created_at);
}

void append_layer(std::string& out, const CacheLayer& layer) {
  json::ObjectWriter object;
  object.string("blob", layer.blob.str());
  if (!layer.parent) object.raw("parent", "-1");
  if (layer.parent && *layer.parent > 0) object.raw("parent", cat(*layer.parent));
  object.unknown(layer.unknown);
  out += object.finish();
}

void append_result(std::string& out, const CacheResult& result) {
  json::ObjectWriter object;
  object.raw("layer", cat(result.layer));
  write_created(object, result.created_at);
  object.unknown(result.unknown);
  out += object.finish();
}

void append_chain(std::string& out, const CacheChain& chain) {
  json::ObjectWriter object;
  object.list("layers", chain.layers, [](std::string& text, std::size_t i) { text += cat(i); });
  write_created(object, chain.created_at);
  object.unknown(chain.unknown);
  out += object.finish();
}

void append_input(std::string& out, const CacheInput& input) {
  json::ObjectWriter object;
  object.string_if("selector", input.selector);
  object.raw("link", cat(input.link));
  object.unknown(input.unknown);
  out += object.finish();
}

void append_inputs(std::string& out, const std::vector<CacheInput>& alternatives) {
  out += '[';
  for (std::size_t i = 0; i < alternatives.size(); ++i) {
    if (i > 0) out += ',';
    append_input(out, alternatives[i]);
  }
  out += ']';
}

void append_record(std::string& out, const CacheRecord& record) {
  json::ObjectWriter object;
  if (!record.results.empty()) object.list("layers", record.results, append_result);
  if (!record.chains.empty()) object.list("chains", record.chains, append_chain);
  object.string("digest", record.digest.str());
  if (!record.inputs.empty()) object.list("inputs", record.inputs, append_inputs);
  object.unknown(record.unknown);
  out += object.finish();
}

}  // namespace

CacheDocument parse_cache_document(std::string_view text) {
  return with_context([] { return std::string("build cache"); },
                      [&] {
                        Value value = json::parse(text, kMaxCacheBytes);
                        ObjectReader object(value, "");
                        CacheDocument document;
                        document.layers = items_of<CacheLayer>(object.take("layers"), "layers",
                                                               kMaxCacheLayers, parse_layer);
                        document.records = items_of<CacheRecord>(object.take("records"), "records",
                                                                 kMaxCacheRecords, parse_record);
                        document.unknown = object.rest({});
                        check_parents(document.layers);
                        check_links(document.records);
                        check_results(document.records, document.layers.size());
                        return document;
                      });
}

std::vector<CacheRecord> parse_cache_records(std::string_view text, std::size_t layers) {
  return with_context([] { return std::string("inline build cache"); },
                      [&] {
                        Value value = json::parse(text, kMaxCacheBytes);
                        auto records = items_of<CacheRecord>(&value, "records", kMaxCacheRecords,
                                                             parse_record);
                        check_links(records);
                        check_results(records, layers);
                        return records;
                      });
}

std::string serialise(const CacheDocument& document) {
  json::ObjectWriter object;
  if (!document.layers.empty()) object.list("layers", document.layers, append_layer);
  if (!document.records.empty()) object.list("records", document.records, append_record);
  object.unknown(document.unknown);
  return object.finish();
}

std::string serialise(const std::vector<CacheRecord>& records) {
  std::string out = "[";
  for (const CacheRecord& record : records) {
    if (out.size() > 1) out += ',';
    append_record(out, record);
  }
  return out + "]";
}

}  // namespace lade::oci
