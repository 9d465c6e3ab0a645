"""protobuf_fields.py OUT FIELDS.txt: the field numbers as C++ tables, messages sorted by name."""
import sys

KINDS = {'text', 'number', 'truth', 'bytes', 'time', 'microtime', 'duration', 'quantity',
         'intorstring', 'json', 'texts'}
SHAPES = {'list', 'map', 'inline'}


def read(path):
    messages, fields = {}, None
    for line in open(path, encoding='utf-8'):
        words = line.split()
        if not words or line.startswith('#'):
            continue
        if not line.startswith(' '):
            fields = messages.setdefault(words[0], [])
            continue
        number, name, rest = int(words[0]), words[1], words[2:]
        shape = rest.pop(0) if rest[0] in SHAPES else 'single'
        fields.append((number, name, shape, rest[0], 'omitempty' in rest))
    return messages


def main():
    out, path = sys.argv[1:]
    messages = read(path)
    names = sorted(messages)
    lines = ['// Generated from minik/net/protobuf_fields.txt.', 'constexpr Field kFields[] = {']
    first, starts = 0, []
    for name in names:
        starts.append(first)
        for number, field, shape, kind, omit in sorted(messages[name]):
            message = names.index(kind) if kind not in KINDS else 0
            word = kind if kind in KINDS else 'message'
            lines.append(f'    {{"{field}", {number}, Shape::k{shape.capitalize()}, '
                         f'Kind::k{word.capitalize()}, {str(omit).lower()}, {message}}},')
            first += 1
    lines += ['};', 'constexpr Message kMessages[] = {']
    lines += [f'    {{"{name}", {start}, {len(messages[name])}}},'
              for name, start in zip(names, starts)]
    lines.append('};')
    with open(out, 'w', encoding='utf-8') as file:
        file.write('\n'.join(lines) + '\n')


main()
