"""The OpenAPI description against what the server does. Part of api.py, whose server it uses."""
import json

from server import V1


def resolve(doc, schema):
    return doc["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def conforms(doc, schema, value, at):
    """The subset of JSON Schema that our descriptions use."""
    schema = resolve(doc, schema)
    if "anyOf" in schema:
        for choice in schema["anyOf"]:
            try:
                conforms(doc, choice, value, at)
                return
            except AssertionError:
                pass
        raise AssertionError("%s: %r fits none of %s" % (at, value, schema))
    if "enum" in schema:
        assert value in schema["enum"], "%s: %r" % (at, value)
    kind = schema.get("type")
    types = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
             "null": type(None)}
    if kind:
        assert isinstance(value, types[kind]) and not (kind in ("integer", "number") and isinstance(value, bool)), \
            "%s: %r is no %s" % (at, value, kind)
    if kind == "object" and "properties" in schema:
        for name in schema.get("required", []):
            assert name in value, "%s: %s is missing" % (at, name)
        for name, v in value.items():
            if name not in schema["properties"] and schema.get("additionalProperties", False):
                continue
            assert name in schema["properties"], "%s: %s is not described" % (at, name)
            conforms(doc, schema["properties"][name], v, at + "/" + name)
    if kind == "array":
        for i, v in enumerate(value):
            conforms(doc, schema["items"], v, "%s/%d" % (at, i))


def openapi_is_sound(s):
    doc = s.json("GET", V1 + "/openapi.json")
    assert doc["openapi"] == "3.1.0"
    text = json.dumps(doc)
    for ref in set(x.split('"')[0] for x in text.split('"$ref": "#/components/schemas/')[1:]):
        assert ref in doc["components"]["schemas"], ref
    for name, schema in doc["components"]["schemas"].items():
        assert schema, "shape %s is empty: a mistake in its notation" % name
    for path, item in doc["paths"].items():
        for method, op in item.items():
            names = {p["name"] for p in op["parameters"] if p["in"] == "path"}
            assert names == {x.split("}")[0] for x in path.split("{")[1:]}, path
            for p in op["parameters"]:
                assert p["schema"], (path, p)


def openapi_tells_the_truth(s):
    """Every described operation exists, wants a token unless it says otherwise, and every JSON answer to
    GET has the described shape, no key more or less."""
    doc = s.json("GET", V1 + "/openapi.json")
    values = {"id": "1", "image": "3", "index": "3", "round": "0", "layer": "prediction"}
    walked = 0
    for path, item in doc["paths"].items():
        url = path
        if path.endswith("/features"):
            url = url.replace("{round}", "1")  # round 0 has none, to be refused
        for name, value in values.items():
            url = url.replace("{%s}" % name, value)
        for method, op in item.items():
            status = s.request(method.upper(), url, token=False, headers={"Content-Length": "0"} if method == "post" else {})[0]
            public = op.get("security") == []
            # Wrong tokens are slowed down after ten a second.
            assert (status not in (401, 429)) if public else (status in (401, 429)), (method, path, status)
            if method != "get" or url.startswith(V1 + "/weights/"):
                continue
            code, answer = next(iter(op["responses"].items()))
            content = answer["content"].get("application/json")
            headers = {"Accept": "application/json"} if content else {"Accept": next(iter(answer["content"]))}
            status, h, data = s.request("GET", url, headers=headers)
            assert status == int(code), (path, status, data[:200])
            if content and content["schema"]:
                conforms(doc, content["schema"], json.loads(data), path)
                walked += 1
    assert walked >= 18, walked
    # And an undescribed path does not exist.
    s.json("GET", V1 + "/secrets", want=404)


TESTS = [openapi_is_sound, openapi_tells_the_truth]
