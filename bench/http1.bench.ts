// What each trick of wire/http1 gains over the plain way: `node bench/http1.bench.ts`.
import { flawIn } from '../wire/fields.ts';
import { readFieldLines } from '../wire/http1/field-lines.ts';
import { SectionReader } from '../wire/http1/field-section.ts';
import { HeadFields } from '../wire/http1/head-fields.ts';
import { fieldLines, Writing } from '../wire/http1/written-lines.ts';
import type { Fields } from '../wire/message.ts';
import { printComparison } from './compare.ts';

const HEADS = 1000;

const id = (turn: number) => `0190b0c4-7f1d-7000-8000-${turn.toString(16).padStart(12, '0')}`;
const fieldsOf = (turn: number): Fields => [
  ...['host', 'localhost:3500', 'user-agent', 'bench/1.0', 'accept', '*/*', 'accept-encoding', 'gzip, deflate'],
  ...['content-type', 'application/json', 'x-request-id', id(turn), 'content-length', '1024'],
];
const sectionOf = (fields: Fields) => {
  const lines = fields.map((text, at) => (at % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('');
  return Buffer.from(`${lines}\r\n`).toString('latin1');
};
const lists = Array.from({ length: HEADS }, (_, turn) => fieldsOf(turn));
const sections = lists.map(sectionOf);
const [same = ''] = sections;

reading('a section of fields that repeats is found by one comparison', () => same);
reading('of one with an id the other lines are found by one each', (turn) => sections[turn % HEADS] ?? same);
writing('lines that repeat are written as they were', () => lists[0] ?? []);
writing('the same with an id among them', (turn) => lists[turn % HEADS] ?? []);

function reading(title: string, section: (turn: number) => string): void {
  const sectionReader = new SectionReader(true);
  printComparison({
    title,
    plain(turn) {
      const fields = new HeadFields(true);
      const text = section(turn);
      readFieldLines(text, 0, text.length - 2, fields);
      return fields.fields;
    },
    trick(turn) {
      const read = sectionReader.read(section(turn), 0);
      sectionReader.clear();
      return read;
    },
  });
}

function writing(title: string, fields: (turn: number) => Fields): void {
  const to = Buffer.alloc(4096);
  printComparison({
    title,
    plain(turn) {
      const list = fields(turn);
      let lines = '';
      if (flawIn(list) !== undefined) return undefined;
      for (let i = 0; i < list.length; i += 2) lines += `${list[i]}: ${list[i + 1]}\r\n`;
      return to.write(lines, 'latin1');
    },
    trick: (turn) => to.write(fieldLines(fields(turn), Writing.REQUEST) ?? '', 'latin1'),
  });
}
