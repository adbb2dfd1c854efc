// Lint settings: what a compiler with types can see and a formatter cannot. What concerns the
// tree as a whole (who imports whom, lengths, the contract's ids) is in test/tidy/.
import { readFileSync } from 'node:fs'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

const banned = JSON.parse(
  readFileSync(new URL('./test/tidy/banned-names.json', import.meta.url), 'utf8'),
)
const closedWorld = 'src/ is a function of its inputs (C24): the host supplies clocks and entropy.'

const lengths = {
  'max-lines': ['error', { max: 400 }],
  'max-lines-per-function': ['error', { max: 70 }],
}

export default defineConfig(
  globalIgnores(['dist/', 'dist.new/', 'build/', 'coverage/', '.bench/', 'test/.out/']),
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      ...lengths,
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'One name everywhere: export by name.' },
        { selector: 'TSEnumDeclaration', message: 'A table `as const` is data; an enum is code.' },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/ban-ts-comment': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Indexing answers `T | undefined` here; where a loop's bound proves the index, `!` says so.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // A callback may have changed what the compiler believes is narrowed: look again after each.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // A callback that answers or does not: the type is the contract, whatever the rule prefers.
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/unified-signatures': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...banned.globals.map((name) => ({ name, message: closedWorld })),
      ],
      'no-restricted-properties': [
        'error',
        ...banned.members.map((member) => {
          const [object, property] = member.split('.')
          return { object, property, message: closedWorld }
        }),
      ],
    },
  },
  {
    // A describe() body is a chapter, not a function, and a double may be as loose as its purpose:
    // the lengths of tests are judged in test/tidy/lengths.ts, which can tell the two apart.
    files: ['test/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
    },
  },
  { files: ['**/*.mjs', '**/*.js'], rules: lengths },
)
